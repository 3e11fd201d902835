"""From people's corrections of boxes and categories to a training run, by the commands alone."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.torch
import torch
from django.core.management import call_command
from django.utils import timezone

from accounts.tests.factories import make_member
from annotations.models import Annotation, ReviewSettings
from annotations.reviewing.corrections import Addition, Correction, Corrections
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation, make_photo_bytes
from inference import registry, taxonomy
from inference.contract import Box
from inference.tests.test_training import build_small, write_files
from inference.training import reviews
from inference.training.detection import loop as finder_loop

pytestmark = pytest.mark.django_db
TRAINING = Path(reviews.__file__).parent
COAT, SHOES = Box(12, 20, 72, 100), Box(30, 101, 60, 118)


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    options = {"location": str(tmp_path / "media")}
    backend = "django.core.files.storage.FileSystemStorage"
    default = {"BACKEND": backend, "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": default}


@pytest.fixture
def corrected() -> list[Annotation]:
    """Of twelve photos people have moved the box, renamed it and added one."""
    tenant = make_member().tenant
    ReviewSettings.objects.create(tenant=tenant, training_consent=True)
    found = []
    for _ in range(12):
        data = make_photo_bytes(size=(90, 120))
        annotation = make_done_annotation(tenant=tenant, data=data)
        (garment,) = annotation.garments.all()
        said = Correction(
            garment.id, category="coat-jacket", box=COAT, attributes={"pattern": "checked"}
        )
        review_annotation(
            tenant=tenant,
            annotation_id=annotation.id,
            by=Reviewer(),
            now=timezone.now(),
            corrections=Corrections([said], added=[Addition("boots", SHOES)]),
        )
        found.append(annotation)
    return found


@pytest.fixture
def data(corrected: object, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_files(folder, "train")
    outfits = pq.read_table(folder / "ccp-train.parquet")
    for name, side in (("width", 80), ("height", 120)):
        outfits = outfits.append_column(name, pa.array([side] * len(outfits)))
    pq.write_table(outfits, folder / "ccp-train.parquet")
    call_command("export_reviews", str(folder))
    return folder


def test_corrected_boxes_and_categories_are_what_is_learned(data):
    path = data / reviews.FILE
    order = taxonomy.load().label_order

    garments = reviews.read_garments(path)
    scenes = reviews.read_scenes(path)

    assert {order[each.accepts[0]] for each in garments} == {"coat-jacket", "boots"}
    assert len(garments) == 2 * len(scenes)
    for scene in scenes:
        boxes = {}
        for number, detail in enumerate(scene.details, start=1):
            rows, columns = (scene.ids == number).nonzero()
            boxes[detail] = Box(
                int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
            )
        assert boxes == {"outer": COAT, "footwear": SHOES}


def test_the_command_trains_the_classifier_on_them(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(registry.UNTRAINED, "kalas-mini", build_small)
    text = (TRAINING / "configs/kalas-mini-2.toml").read_text()
    for old, new in (
        (r"epochs = \d+", "epochs = 1"),
        (r"size = .*", "size = [32, 32]"),
        (r"batch_size = \d+", "batch_size = 16"),
        (r"twice = \d+", "twice = 4"),
        (r"negative_photos = \d+", "negative_photos = 4"),
    ):
        text, count = re.subn(f"(?m)^{old}$", new, text)
        assert count == 1
    config = tmp_path / "tiny.toml"
    config.write_text(text)

    call_command("train", config=config, data=data, out=tmp_path / "run", start=None)

    count = len(reviews.read_garments(data / reviews.FILE))
    assert f"reviews: {count} garments" in capsys.readouterr().out
    assert (tmp_path / "run" / "kalas-mini.safetensors").exists()


def test_the_command_trains_the_finder_on_them(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(finder_loop, "read_products", lambda *_args, **_options: [])
    text = (TRAINING / "detection/configs/garment-finder.toml").read_text()
    stages = text[text.index("stages") : text.index("batch_size")]
    text = text.replace(stages, "stages = [{steps = 1, size = [64, 64]}]\n")
    config = tmp_path / "tiny.toml"
    config.write_text(re.sub(r"(?m)^batch_size = \d+", "batch_size = 2", text))

    call_command("train", config=config, data=data, out=tmp_path / "run", start=None)

    count = len(reviews.read_scenes(data / reviews.FILE))
    assert f"{count} photos with the boxes of reviewers" in capsys.readouterr().out
    tensors = safetensors.torch.load_file(tmp_path / "run" / "garment-finder.safetensors")
    assert all(torch.isfinite(tensor.float()).all() for tensor in tensors.values())
