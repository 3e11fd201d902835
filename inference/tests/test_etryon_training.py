"""eTryOn's recipes: what learns, from what, and that a killed run ends as one that wasn't."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from django.core.management import CommandError, call_command
from safetensors.torch import load_file, save_file

from inference import ancestors, specs
from inference.etryon import mallzee
from inference.networks import etryon
from inference.tests.engines import ROOT
from inference.tests.photos import encode, paint
from inference.tests.test_mmfashion_data import lay  # noqa: F401
from inference.tests.threads import one_thread  # noqa: F401
from inference.training.etryon import layers, losses, photos, recipe, tasks, train, views
from inference.training.etryon.photos import Photo
from inference.training.etryon.recipe import BadRecipe, Recipe

COLOURS = {"shirts": (200, 30, 30), "jeans": (20, 40, 160), "boots": (90, 60, 30)}


def write_photos(path, count=20):
    """Painted garments: each class has its colour, most are striped."""
    rows = []
    for i in range(count):
        category = list(COLOURS)[i % 3]
        rows.append(
            {
                "image": encode(paint(size=(48, 48), garment=COLOURS[category]), "PNG"),
                "category": category,
                "pattern": "" if i % 4 == 1 else "striped",
                "style": None,
                "name": f"{category} number {i}",
            }
        )
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("data") / "photos.parquet")


def write_recipe(path, **values):
    written = {"kind": "category", "name": "tiny", "size": 32, "epochs": 2, "batch": 6} | values
    written.setdefault("head_epochs", 1)
    path.write_text("\n".join(f"{k} = {json.dumps(v)}" for k, v in written.items()))
    return path


def run(tmp_path, data, **values):
    call_command(
        "train_etryon",
        write_recipe(tmp_path / "recipe.toml", **values),
        data,
        store=tmp_path / "models",
        work=tmp_path / "work",
    )


@pytest.mark.parametrize(
    ("kind", "judged"),
    [("category", "accuracy"), ("attributes", "F1 micro"), ("alignment", "text of photo@5")],
)
def test_follows_each_recipe(kind, judged, data, tmp_path, capsys):
    run(tmp_path, data, kind=kind, balance="upsample", loss="soft-f1", rotations=[45, 90])

    spec = specs.find("tiny", store=tmp_path / "models")
    assert spec.architecture == "etryon"
    assert judged in spec.metrics
    assert not (tmp_path / "work" / "checkpoint.pt").exists()
    assert "epoch 2: loss" in capsys.readouterr().out


def test_a_detector_learns_from_boxes_of_cannys_edges(data, tmp_path):
    run(tmp_path, data, kind="detector", canny=True, epochs=1, proposals=20, batch=4, layers=0,
        head_epochs=0, anchors=[8, 16, 32, 64, 128], threshold=0.4)  # fmt: skip

    spec = specs.find("tiny", store=tmp_path / "models")
    assert {"AP", "AP50", "AR@1", "AR@10", "AR@100"} <= spec.metrics.keys()
    assert spec.floors == {"object": 0.4}
    assert json.loads(spec.config)["anchors"] == [8, 16, 32, 64, 128]


class Killed(BaseException):
    pass


def test_a_killed_run_ends_as_one_that_was_not(data, tmp_path, monkeypatch):
    """Killed in the second epoch between two steps, after its checkpoint."""
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(train, "_SAVE_STEPS", 1)
    run(tmp_path / "whole", data, balance="upsample")

    steps, roll = [], train._Run._roll

    def kill(self, epoch, step):
        if step:
            steps.append((epoch, step))
        if len(steps) == 5:
            raise Killed
        return roll(self, epoch, step)

    with monkeypatch.context() as patch:
        patch.setattr(train._Run, "_roll", kill)
        with pytest.raises(Killed):
            run(tmp_path / "killed", data, balance="upsample")
    run(tmp_path / "killed", data, balance="upsample")

    one, other = (
        load_file(tmp_path / name / "models" / "tiny-1.safetensors") for name in ("whole", "killed")
    )
    assert all(one[key].equal(other[key]) for key in one)


def test_a_run_that_was_killed_by_kill_9_ends_as_one_that_was_not(data, tmp_path):
    """The command as a process of its own, killed after its first epoch's checkpoint."""
    told = write_recipe(tmp_path / "recipe.toml", epochs=3)

    def start(name):
        command = [sys.executable, "manage.py", "train_etryon", str(told), str(data)]
        places = ["--store", str(tmp_path / name), "--work", str(tmp_path / f"{name}-work")]
        return subprocess.Popen(
            [*command, *places],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )

    with start("killed") as killed:
        while not (tmp_path / "killed-work" / "checkpoint.pt").exists():
            assert killed.poll() is None
            time.sleep(0.005)
        killed.kill()
    assert not (tmp_path / "killed").exists()
    with start("killed") as again, start("whole") as whole:
        said, _ = again.communicate()
        whole.communicate()

    assert (killed.returncode, again.returncode, whole.returncode) == (-9, 0, 0)
    assert "It goes on in epoch" in said
    one, other = (load_file(tmp_path / n / "tiny-1.safetensors") for n in ("whole", "killed"))
    assert one.keys() == other.keys()
    assert all(one[key].equal(other[key]) for key in one)


def test_another_recipes_checkpoint_is_not_gone_on_with(data, tmp_path, monkeypatch):
    def stop(self):
        self._save()
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train._Run, "go", stop)
        with pytest.raises(Killed):
            run(tmp_path, data)

    with pytest.raises(CommandError, match="is of another recipe"):
        run(tmp_path, data, rate=0.5)
    (tmp_path / "work" / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(CommandError, match="is no checkpoint of a run"):
        run(tmp_path, data)


def test_stops_early(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "measure", lambda *_: {"accuracy": 0.5})
    monkeypatch.setattr(train._Run, "_learn", lambda *_: None)

    run(tmp_path, data, epochs=30, patience=3, head_epochs=2)

    out = capsys.readouterr().out
    assert "Nothing got better for 3 epochs" in out
    assert "epoch 5:" in out
    assert "epoch 6:" not in out


def test_only_the_last_layers_learn():
    network = etryon.build({"type": "category", "answers": 3})

    layers.set_learning(network, last=100)

    order = layers.list_layers(network)
    learning = [layer for layer in order if layer.training]
    assert learning == order[-100:]
    norms = [layer for layer in order[:-100] if isinstance(layer, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(p.requires_grad for layer in order[:-100] for p in layer.parameters())

    layers.set_learning(network, last=0, heads=("classifier",))
    assert {n for n, p in network.named_parameters() if p.requires_grad} == {
        "classifier.1.weight",
        "classifier.1.bias",
    }
    layers.set_learning(network, last=0)
    assert all(p.requires_grad for p in network.parameters())


def test_begins_with_imagenets_weights(tmp_path):
    """As torchvision's file has them: with its own last layer, which is left."""
    torch.manual_seed(1)
    released = etryon.build({"type": "category", "answers": 1000})
    save_file(released.state_dict(), tmp_path / "imagenet.safetensors")
    network = etryon.build({"type": "category", "answers": 23})

    layers.begin_with(network, str(tmp_path / "imagenet.safetensors"), store=tmp_path)

    kept, given = network.state_dict(), released.state_dict()
    assert all(kept[key].equal(given[key]) for key in kept if key.startswith("features"))


def test_begins_with_an_alignment_in_the_store(data, tmp_path):
    run(tmp_path, data, kind="alignment", name="aligned", epochs=1, head_epochs=0)

    run(tmp_path, data, weights="aligned@1", epochs=1)

    assert "from aligned@1" in specs.find("tiny", store=tmp_path / "models").source


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "nowhere"),
        (b"torn", "holds no weights"),
        ({"layer.weight": torch.ones(2)}, "is of another network"),
    ],
)
def test_refuses_other_weights_to_begin_with(content, complaint, data, tmp_path):
    file = tmp_path / ("nowhere.safetensors" if content is None else "some.safetensors")
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        save_file(content, file)

    with pytest.raises(CommandError, match=complaint):
        run(tmp_path, data, weights=str(file))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"kind": "segmentation"}, "kind is one of"),
        ({"speed": 3}, "speed is not known"),
        ({"epochs": "many"}, "epochs has to be a whole number"),
        ({"epochs": 0, "head_epochs": 0}, "epochs lies between 1"),
        ({"dropout": 1.5}, "dropout lies between"),
        ({"flips": 1}, "flips has to be true or false"),
        ({"rotations": [4.5]}, "rotations has to be a list of whole numbers"),
        ({"loss": "mse"}, "loss is one of bce, soft-f1"),
        ({"name": "../evil"}, "name has small letters"),
        ({"anchors": [1]}, "anchors are five sizes"),
    ],
)
def test_refuses_a_bad_recipe(values, complaint, tmp_path):
    with pytest.raises(BadRecipe, match=complaint):
        recipe.read(write_recipe(tmp_path / "bad.toml", **values))


def test_every_shipped_recipe_is_good():
    folder = Path(recipe.__file__).parent / "recipes"
    read = [recipe.read(path) for path in folder.rglob("*.toml")]

    assert {one.kind for one in read} == set(ancestors.KINDS)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([{"picture": b"x"}], "no column image"),
        ([{"image": b"x", "category": "hats"}], "'hats' is none of the 23 classes"),
        ([{"image": b"x", "category": "", "pattern": "loud"}], "no pattern 'loud'"),
        ([{"image": b"no photo", "category": ""}], "no photos with a category"),
    ],
)
def test_refuses_photos_that_say_nothing(rows, complaint, tmp_path):
    path = tmp_path / "bad.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)

    with pytest.raises(CommandError, match=complaint):
        run(tmp_path, path)


def test_soft_f1_is_one_minus_f1_where_all_is_certain():
    truth = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    said = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    logits = (said * 2 - 1) * 50
    ones = torch.ones(3, 2)

    loss = losses.soft_f1_loss(logits, truth, ones, torch.ones(2))

    assert float(loss) == pytest.approx(1 - (2 / 3 + 1) / 2, abs=1e-4)


def test_what_is_unknown_teaches_nothing():
    logits = torch.zeros(1, 2, requires_grad=True)
    known = torch.tensor([[1.0, 0.0]])

    losses.label_loss(logits, torch.tensor([[1.0, 1.0]]), known, torch.ones(2)).backward()

    assert logits.grad is not None
    assert logits.grad[0, 0] != 0
    assert logits.grad[0, 1] == 0


def test_alignment_is_clips_loss_and_equal_texts_share_the_answer():
    vectors = torch.eye(4)
    same = torch.eye(4, dtype=torch.bool)
    right = losses.alignment_loss(vectors, vectors, torch.tensor(100.0), same)
    wrong = losses.alignment_loss(vectors, vectors.flip(0), torch.tensor(100.0), same)
    network = etryon.Aligned()
    with torch.no_grad():
        network.scale.fill_(9.0)
    network.clip()

    assert float(right) == pytest.approx(0, abs=1e-4)
    assert float(wrong) == pytest.approx(100)
    assert network.scale.exp().item() == pytest.approx(100)
    alike = torch.tensor([[1.0, 0], [1, 0]])
    shared = losses.alignment_loss(alike, alike, torch.tensor(1.0), torch.ones(2, 2).bool())
    assert float(shared) == pytest.approx(np.log(2))


def test_rare_classes_are_shown_as_often(data):
    some = [Photo("a", b"", "shirts")] * 8 + [Photo("b", b"", "jeans")] * 2
    task = tasks.Categories(some, some, Recipe("category", "tiny"))

    weights = task.weigh()

    assert sum(weights[:8]) == pytest.approx(sum(weights[8:]))


def test_changes_a_photo_by_the_dice_alone():
    told = Recipe("category", "tiny", size=40, rotations=(45, 90, 180))
    image = paint(size=(40, 40), garment=(200, 0, 0))

    seen = [views.change(image, told, np.random.default_rng(i)) for i in (1, 1, 2)]

    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert (seen[2][0, 0] == 255).all()


def test_reads_deepfashion_in_the_other_taxonomy(lay):  # noqa: F811
    found = photos.read(lay("attributes"), split="train")

    assert found
    assert all(photo.category in mallzee.NAMES for photo in found)
    assert all(photo.box is not None for photo in found)


def test_measures_any_model_and_reports_it(data, tmp_path, capsys):
    run(tmp_path, data, epochs=1)
    out = tmp_path / "eval.json"

    call_command("evaluate_etryon", "tiny", data, json=out, store=tmp_path / "models")
    call_command("evaluate_etryon", "kalas-mini", data, store=tmp_path / "models")
    capsys.readouterr()
    call_command("report", out)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# tiny@1"
    assert "## photos.parquet, category: 20 photos" in lines
    assert any(line.startswith("| footwear | boots | 6 |") for line in lines)
