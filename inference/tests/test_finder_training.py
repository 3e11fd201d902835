import warnings
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.torch
import torch
from django.core.management import call_command
from PIL import Image

from inference import specs
from inference.contract import Box
from inference.detection import DETAILS, SEGMENTS, SIZE
from inference.networks.garment_finder import GarmentFinder, start_from_classifier
from inference.registry import build_finder, build_untrained
from inference.tests.drawn import encoded_boxes, found, outfit, perfect_edges, product
from inference.training.detection import loop
from inference.training.detection.augment import (
    whole_view,
)
from inference.training.detection.batches import make_batches
from inference.training.detection.config import FinderConfig, FinderStage, is_finder, read_config
from inference.training.detection.held_out import held_out, hold_out
from inference.training.detection.loop import read_scenes, train_finder
from inference.training.detection.measure import (
    average_precision,
    describe,
    match,
    measure_finder,
    say_finder,
)
from inference.training.detection.publish import (
    Boxes,
    Calibration,
    calibrate,
    calibration_error,
    fold,
    publish_finder,
    read_finder,
)
from inference.training.detection.scenes import outfit_scene
from inference.training.outfits import OutfitGarment

CONFIGS = Path(loop.__file__).parent / "configs"
TINY = FinderConfig(
    name="garment-finder",
    seed=3,
    stages=(FinderStage(3, (64, 64)), FinderStage(3, (96, 64))),
    batch_size=2,
    learning_rate=0.001,
    warm_up=2,
    cool_down=0.3,
    trunk_rate=0.5,
    frozen_blocks=1,
    weight_decay=0.01,
    average_decay=0.9,
    edges_weight=3.0,
    segments_weight=1.0,
    outfits=0.5,
    products=0.2,
    collages=0.2,
    flat_lays=0.1,
    products_per_type=5,
)


class Interrupted(Exception):
    pass


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    photo, mask = outfit()
    for split in ("train", "val"):
        ccp = [
            {"image": encoded(photo), "mask": encoded(mask), "width": 80, "height": 120},
            {"image": encoded(photo), "mask": None, "width": 80, "height": 120},
            {"image": encoded(photo), "mask": encoded(mask), "width": 80, "height": 120},
        ]
        fpi = [
            {
                "image": encoded(product(colour)),
                "article_type": article,
                "display_name": f"{colour} thing",
            }
            for colour in ("red", "blue")
            for article in ("Handbags", "Sports Shoes", "Lipstick")
        ]
        flat = np.full((120, 90, 3), 240, np.uint8)
        flat[30:90, 20:70] = (20, 90, 20)
        clothing = [{"image": encoded(flat), "label": label} for label in ("T-Shirt", "Skip")]
        for name, rows in (("ccp", ccp), ("fpi", fpi), ("clothing", clothing)):
            pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}-{split}.parquet")
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    return train_finder(TINY, data=data, out=out, resume=False, say=print)


def test_ships_readable_configs():
    paths = list(CONFIGS.glob("*.toml"))

    assert paths
    for path in paths:
        config = read_config(path)

        assert is_finder(path)
        assert config.size_at(0) == config.stages[0].size
        assert config.size_at(config.steps - 1) == config.stages[-1].size
        assert all(side % 32 == 0 for stage in config.stages for side in stage.size)


def test_warms_up_stays_and_cools_down():
    rates = [TINY.rate_at(step) for step in range(TINY.steps)]

    assert rates[0] == 0.5
    assert rates[2] == rates[3] == 1
    assert 0 < rates[-1] < 0.6
    assert [replace(TINY, calm=0.4).is_calm(step) for step in range(6)] == [False] * 4 + [True] * 2


def test_holds_out_the_same_outfits_each_time(tmp_path):
    rows = [{"id": n, "mask": b"m" if n % 2 else None} for n in range(20)]
    path = tmp_path / "ccp-train.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    pq.write_table(pa.Table.from_pylist(rows[::-1]), tmp_path / "turned.parquet")

    rest = pq.read_table(hold_out(path, count=4, out=tmp_path))["id"].to_pylist()
    held = set(pq.read_table(held_out(tmp_path))["id"].to_pylist())
    hold_out(tmp_path / "turned.parquet", count=4, out=tmp_path)

    assert len(held) == 4
    assert held.isdisjoint(rest)
    assert len(rest) == 16
    assert all(n % 2 for n in held)
    assert set(pq.read_table(held_out(tmp_path))["id"].to_pylist()) == held


def test_processes_make_the_batches_that_a_thread_makes(data, tmp_path):
    scenes = read_scenes(TINY, data, print, out=tmp_path)

    alone, together = (
        list(make_batches(replace(TINY, workers=workers), scenes, first=3)) for workers in (0, 2)
    )

    assert len(alone) == len(together) == 3
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.boxes, other.boxes)
        assert one.images.shape == (2, 3, 96, 64)


def test_takes_over_the_classifiers_trunk():
    finder, classifier = GarmentFinder(), build_untrained("kalas-mini").state_dict()

    assert start_from_classifier(finder, classifier) > 20
    torch.testing.assert_close(
        finder.state_dict()["stem.0.0.weight"], classifier["stem.0.0.weight"]
    )


def test_exports_to_onnx_with_the_same_answers(trained, tmp_path):
    finder = GarmentFinder().eval()
    finder.load_state_dict(safetensors.torch.load_file(trained))
    images = torch.randn(2, 3, *SIZE)
    path = tmp_path / "finder.onnx"
    with warnings.catch_warnings():
        # As inference.export does: the other exporter takes a minute in place of seconds.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            finder,
            (images,),
            str(path),
            input_names=["images"],
            output_names=["heat", "edges", "segments"],
            dynamic_axes={"images": {0: "n"}},
            dynamo=False,
        )

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = finder(images)
    for said, wanted in zip(session.run(None, {"images": images.numpy()}), expected, strict=True):
        np.testing.assert_allclose(said, wanted.numpy(), rtol=1e-3, atol=1e-3)


def test_trains_to_a_weights_file_by_command(data, tmp_path):
    config = tmp_path / "tiny.toml"
    text = (CONFIGS / "garment-finder.toml").read_text()
    stages = text[text.index("stages") : text.index("batch_size")]
    for old, new in (
        (stages, "stages = [{steps = 1, size = [64, 64]}]\n"),
        ("batch_size = 8", "batch_size = 2"),
    ):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)

    call_command("train", config=config, data=data, out=tmp_path / "run", start=None)

    tensors = safetensors.torch.load_file(tmp_path / "run" / "garment-finder.safetensors")
    assert all(torch.isfinite(tensor.float()).all() for tensor in tensors.values())


def test_resumes_to_the_same_weights_as_an_uninterrupted_run(data, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_SECONDS", 0)
    original, steps = loop._Run._step, 0

    def interrupt(self, batch):
        nonlocal steps
        steps += 1
        if steps == 4:
            raise Interrupted
        return original(self, batch)

    monkeypatch.setattr(loop._Run, "_step", interrupt)
    with pytest.raises(Interrupted):
        train_finder(TINY, data=data, out=tmp_path, resume=False, say=print)
    monkeypatch.setattr(loop._Run, "_step", original)
    resumed = train_finder(TINY, data=data, out=tmp_path, resume=True, say=print)

    tensors = safetensors.torch.load_file(resumed)
    for name, expected in safetensors.torch.load_file(trained).items():
        torch.testing.assert_close(tensors[name], expected, rtol=1e-4, atol=1e-5)


def test_average_precision_by_hand():
    # Two garments; right, wrong, right: precision 1 up to recall 0.5, then 2/3.
    precision = average_precision(
        np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), garments=2
    )

    assert precision == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    assert average_precision(np.array([0.9]), np.array([True]), garments=1) == 1
    assert average_precision(np.array([0.9]), np.array([True]), garments=2) == pytest.approx(
        51 / 101
    )
    assert average_precision(np.zeros(0), np.zeros(0, bool), garments=3) == 0


def test_a_garment_is_found_once_and_by_the_surest_box():
    mask = np.zeros((100, 100), np.uint8)
    mask[0:40, 0:40] = 1
    truth = [OutfitGarment("shirt", "top", Box(0, 0, 40, 40), mask)]

    matching = match([found("top", (0, 0, 40, 36), 0.6), found("top", (0, 0, 40, 30), 0.9)], truth)

    assert matching.hits[0].tolist() == [True, False]
    # The surer box overlaps by 0.75, the other by 0.9.
    assert matching.hits[5].tolist() == [True, False]
    assert matching.hits[6].tolist() == [False, True]
    assert matching.mask_overlap == (0.75,)


def test_measures_a_finder(data, trained):
    finder = GarmentFinder().eval()
    finder.load_state_dict(safetensors.torch.load_file(trained))
    lines: list[str] = []

    result = measure_finder(finder, data / "ccp-val.parquet", products=data / "fpi-val.parquet")
    say_finder(result, lines.append)

    assert result.photos == 2
    assert result.classes["footwear"][2] == 4
    assert result.products is not None
    assert result.products.total >= 2
    assert 0 <= result.map.value <= result.map50.value <= 1
    assert describe(result)["classes"]["upper-body"]["garments"] == 2
    assert any("mAP@0.5" in line for line in lines)


def test_a_finder_that_draws_the_masks_boxes_is_perfect(data):
    photo, mask = outfit()
    scene = outfit_scene(photo, mask)

    class Oracle:
        def __call__(self, images: torch.Tensor):
            view = whole_view(scene, size=SIZE)
            named, targets = encoded_boxes(view.boxes, view.details, size=SIZE)
            segments = torch.nn.functional.one_hot(
                torch.from_numpy(view.segments).long().clamp(max=13), len(SEGMENTS)
            )
            return tuple(
                t.expand(len(images), -1, -1, -1)
                for t in (
                    torch.logit(targets.heat, eps=1e-4),
                    perfect_edges(named, targets),
                    segments.permute(2, 0, 1)[None].float() * 20,
                )
            )

    result = measure_finder(Oracle(), data / "ccp-val.parquet")

    assert result.map50.value == pytest.approx(1)
    assert result.map.value > 0.75
    assert result.mask_overlap > 0.75


def test_folds_the_calibration_into_the_heat_map(trained):
    tensors = safetensors.torch.load_file(trained)
    calibration = Calibration(0.5, {detail: float(i) for i, detail in enumerate(DETAILS)})
    images = torch.randn(1, 3, 64, 64)

    before = read_finder(tensors)(images)
    after = read_finder(fold(tensors, calibration))(images)

    shifts = torch.arange(len(DETAILS)).view(1, -1, 1, 1)
    torch.testing.assert_close(after.heat, before.heat * 0.5 + shifts, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after.edges, before.edges)


def test_calibrates_to_how_often_boxes_are_right():
    rng = np.random.default_rng(0)
    logits, details = rng.normal(0, 1, 4000), rng.integers(0, 2, 4000)
    right = 1 / (1 + np.exp(-(2 * logits + np.where(details == 0, 1.0, -1.0))))
    boxes = Boxes(logits, details, rng.random(4000) < right)

    calibration = calibrate(boxes)

    assert calibration.slope == pytest.approx(2, abs=0.2)
    assert calibration.shifts[DETAILS[0]] == pytest.approx(1, abs=0.2)
    assert calibration.shifts[DETAILS[1]] == pytest.approx(-1, abs=0.2)
    assert calibration_error(boxes, calibration) < 0.03 < calibration_error(boxes, None)


@pytest.mark.parametrize("mirrored", [False, True])
def test_publishes_a_run_as_a_described_weights_file(data, trained, tmp_path, mirrored):
    publish_finder(
        trained,
        version="7",
        files=[data / "ccp-val.parquet"],
        mirrored=mirrored,
        store=tmp_path,
        say=print,
    )

    spec = specs.find("garment-finder", store=tmp_path)
    finder = build_finder(spec)
    assert (spec.version, spec.mirrored) == ("7", mirrored)
    assert spec.labels == DETAILS
    assert spec.input_size == SIZE
    assert {"ccp-val mAP@0.5", "ccp-val, half mAP@0.5"} <= set(spec.metrics)
    assert finder(torch.zeros(1, 3, *SIZE)).heat.shape == (1, len(DETAILS), 56, 40)
