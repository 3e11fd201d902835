"""eTryOn's own checkpoints: torchvision's keys, read in the cell, whole or not at all."""

import os

import pytest
import safetensors.torch
import torch
from django.core.management import CommandError, call_command

from inference import specs
from inference.etryon import mallzee, stages
from inference.etryon.stages import Stages
from inference.networks import etryon
from inference.tests.photos import paint
from inference.tests.test_import_weights import here  # noqa: F401
from inference.tests.threads import one_thread  # noqa: F401


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Of a class network as torchvision's users save one."""
    torch.manual_seed(3)
    file = tmp_path_factory.mktemp("released") / "category.pth"
    network = etryon.build({"type": "category", "answers": 23})
    torch.save({"epoch": 9, "model_state_dict": network.state_dict()}, file)
    return file


@pytest.fixture
def store(tmp_path):
    return tmp_path / "models"


def run(file, config, store, **options):
    call_command("import_weights", file, config=config, store=store, **options)


def refuse(file, config, store, **options):
    with pytest.raises(CommandError) as caught:
        run(file, config, store, **options)
    assert not store.exists() or list(store.iterdir()) == []
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_checkpoint_answers_here_as_it_did_there(checkpoint, store, capsys):
    run(checkpoint, "etryon/category", store)

    spec = specs.find("etryon-category", store=store)
    there = torch.load(checkpoint, weights_only=True)["model_state_dict"]
    kept = safetensors.torch.load_file(spec.path)
    assert all(kept[key].equal(value) for key, value in there.items())
    assert (spec.architecture, spec.labels, spec.input_size) == (
        "etryon",
        mallzee.NAMES,
        (380, 380),
    )
    assert "706 tensors" in capsys.readouterr().out
    [seen] = Stages("etryon-category", store=store).see(paint(size=(60, 60)))
    assert set(seen.classes) == set(mallzee.NAMES)


def test_a_detector_comes_with_its_threshold_and_without_counters(store, tmp_path):
    """Fine-tuned from COCO's weights its norms are frozen, and count no batches."""
    network = etryon.build({"type": "detector", "answers": 4})
    kept = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    torch.save(kept, tmp_path / "detector.pth")

    run(tmp_path / "detector.pth", "etryon/detector", store)

    spec = specs.find("etryon-detector", store=store)
    assert spec.labels == mallzee.OBJECTS
    assert spec.floors == {"object": 0.99}
    stages.load_network(spec)


def test_another_order_of_classes_is_kept(checkpoint, store, tmp_path):
    order = tuple(reversed(mallzee.NAMES))
    (tmp_path / "classes.txt").write_text("\n".join(order))

    run(checkpoint, "etryon/category", store, labels=tmp_path / "classes.txt")

    assert specs.find("etryon-category", store=store).labels == order


def test_labels_come_in_the_files_order(store, tmp_path):
    (tmp_path / "labels.txt").write_text("style: boxy\nstyle: mom\npattern: striped\n")
    network = etryon.build({"type": "attributes", "answers": 3})
    torch.save(network.state_dict(), tmp_path / "labels.pth")

    run(tmp_path / "labels.pth", "etryon/attributes", store, attributes=tmp_path / "labels.txt")

    [seen] = Stages("etryon-attributes", store=store).see(paint(size=(60, 60)))
    assert {key: tuple(words) for key, words in seen.labels.items()} == {
        "style": ("boxy", "mom"),
        "pattern": ("striped",),
    }


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("etryon/attributes", "classifier.1.weight is [23, 1792], [110, 1792] is needed"),
        ("etryon/detector", "is of another model"),
        ("superpoint", "is of another model"),
    ],
)
def test_refuses_another_models_checkpoint(config, complaint, checkpoint, store):
    assert complaint in refuse(checkpoint, config, store)


def test_refuses_a_truncated_one(checkpoint, store, tmp_path):
    file = tmp_path / "category.pth"
    file.write_bytes(checkpoint.read_bytes()[:-5000])

    assert "category.pth is" in refuse(file, "etryon/category", store)


class Bomb:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.mark.confined
def test_executes_nothing(store, tmp_path):
    trace, file = tmp_path / "was-executed", tmp_path / "evil.pth"
    torch.save({"state_dict": {}, "args": Bomb(trace)}, file)

    assert "it would run posix.system" in refuse(file, "etryon/category", store)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("text", "option", "complaint"),
    [
        ("shirts\nspaceships\n", "labels", "'spaceships' is none of"),
        ("shirts\nshirts\n", "labels", "names something twice"),
        ("", "labels", "is empty"),
        ("striped\n", "attributes", "is no `pattern: NAME`"),
        ("style: a\npattern: b\nstyle: c\n", "attributes", "have to follow each other"),
    ],
)
def test_refuses_names_that_make_no_sense(text, option, complaint, checkpoint, store, tmp_path):
    (tmp_path / "names.txt").write_text(text)
    config = "etryon/category" if option == "labels" else "etryon/attributes"

    assert complaint in refuse(checkpoint, config, store, **{option: tmp_path / "names.txt"})
