"""Foreign weights come in whole or not at all, and nothing of them is executed."""

import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from django.core.management import CommandError, call_command

from inference import specs
from inference.mmfashion import importing, pickles, reading
from inference.networks.mmfashion import build
from inference.networks.mmfashion.settings import BadConfig
from inference.networks.superpoint import SuperPoint

CONFIG = """
import os

arch = 'vgg'
attribute_num = 26
category_num = 50
img_size = (224, 224)
model = dict(
    type='RoIAttrCatePredictor',
    backbone=dict(type='Vgg'),
    global_pool=dict(
        type='GlobalPooling', inplanes=(7, 7), pool_plane=(2, 2),
        inter_channels=[512, 4], outchannels=4),
    roi_pool=dict(
        type='RoIPooling', pool_plane=(2, 2), inter_channels=512, outchannels=4,
        crop_size=7, img_size=img_size, num_lms=8),
    concat=dict(type='Concat', inchannels=2 * 4, outchannels=4),
    attr_predictor=dict(
        type='AttrPredictor', inchannels=4, outchannels=attribute_num,
        loss_attr=dict(type='BCEWithLogitsLoss', ratio=1, weight=None, reduction='mean')),
    cate_predictor=dict(
        type='CatePredictor', inchannels=4, outchannels=category_num,
        loss_cate=dict(type='CELoss', ratio=1, weight=None, reduction='mean')),
    pretrained='checkpoint/vgg16.pth')
data_root = 'data/Attr_Predict'
data = dict(imgs_per_gpu=32, train=dict(img_path=os.path.join(data_root, 'Img')))
optimizer = dict(type='SGD', lr=1e-3, momentum=0.9)
workflow = [('train', 40)]
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "roi_predictor_vgg.py"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def store(tmp_path):
    return tmp_path / "models"


@pytest.fixture(scope="module")
def weights():
    """A small model's state_dict."""
    settings: dict[str, Any] = {}
    exec(CONFIG, settings)  # noqa: S102 - this file's own text
    torch.manual_seed(5)
    return build.build(settings["model"]).state_dict()


@pytest.fixture(autouse=True)
def here(request, monkeypatch):
    """Reads in this process, which is quicker; tests marked `confined` start the real one."""
    if request.node.get_closest_marker("confined"):
        return

    def read_here(asked, seconds):
        try:
            return reading.read(asked, Path(asked["work"]))
        except (reading.WrongWeights, BadConfig, pickles.NotACheckpoint) as error:
            raise importing.CannotImport(str(error)) from error

    monkeypatch.setattr(importing, "_read", read_here)


def run(file, config, store, **options):
    call_command("import_weights", file, config=str(config), store=store, name="tiny", **options)


def refuse(file, config, store, **options):
    """The one line that the command ends with; nothing may be left behind."""
    with pytest.raises(CommandError) as caught:
        run(file, config, store, **options)
    assert not store.exists() or list(store.iterdir()) == []
    assert caught.value.returncode == 2
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def add_prefix(weights):
    return {f"module.{k}": v for k, v in weights.items()}


FORMS: dict[str, Callable[[Any], Any]] = {
    "plain": OrderedDict,
    "runner": lambda w: {
        "meta": {"epoch": 40, "iter": 9, "mmcv_version": "0.2.14", "time": "Mon Jul 1"},
        "state_dict": OrderedDict(w),
        "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": []},
    },
    "prefixed": lambda w: {"meta": {}, "state_dict": OrderedDict(add_prefix(w))},
    "own": lambda w: {"epoch": 3, "model_state_dict": dict(w)},
}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
@pytest.mark.parametrize("form", FORMS)
def test_reads_each_form_of_the_released_files(form, old, weights, config, store, tmp_path, capsys):
    file = tmp_path / "latest.pth"
    torch.save(FORMS[form](weights), file, _use_new_zipfile_serialization=not old)

    run(file, config, store, source="the model zoo", licence="Apache-2.0")

    spec = specs.find("tiny", store=store)
    kept = safetensors.torch.load_file(spec.path)
    assert kept.keys() == weights.keys()
    assert all(kept[k].equal(v) for k, v in weights.items())
    assert json.loads(spec.config)["type"] == "RoIAttrCatePredictor"
    assert (spec.architecture, spec.version, len(spec.labels)) == ("mmfashion", "1", 50)
    assert spec.attributes[0][1][:2] == ("floral", "graphic")
    assert (spec.source, spec.licence) == ("the model zoo", "Apache-2.0")
    assert "38 tensors" in capsys.readouterr().out
    assert sorted(p.name for p in store.iterdir()) == ["tiny-1.safetensors", "tiny-1.toml"]


@pytest.mark.confined
def test_reads_a_runners_file_in_a_confined_process(weights, config, store, tmp_path):
    file = tmp_path / "latest.pth"
    torch.save(FORMS["runner"](weights), file, _use_new_zipfile_serialization=False)

    run(file, config, store)

    kept = safetensors.torch.load_file(specs.find("tiny", store=store).path)
    assert all(kept[k].equal(v) for k, v in weights.items())


@pytest.mark.confined
def test_a_confined_process_says_why_not(weights, config, store, tmp_path):
    trace, file = tmp_path / "was-executed", tmp_path / "evil.pth"
    torch.save({"meta": Bomb(trace), "state_dict": dict(weights)}, file)

    assert "it would run posix.system" in refuse(file, config, store)
    assert not trace.exists()


def test_a_second_import_is_the_next_version(weights, config, store, tmp_path):
    file = tmp_path / "latest.pth"
    torch.save(dict(weights), file)

    run(file, config, store)
    run(file, config, store)

    assert specs.list_versions("tiny", store=store) == ["1", "2"]


def test_adds_the_counters_that_old_files_lack(store, tmp_path, capsys):
    kept = {k: v for k, v in SuperPoint().state_dict().items() if "num_batches" not in k}
    file = tmp_path / "superpoint_v6_from_tf.pth"
    torch.save(kept, file)

    run(file, "superpoint", store)

    spec = specs.find("tiny", store=store)
    SuperPoint().load_state_dict(safetensors.torch.load_file(spec.path))
    assert spec.architecture == "superpoint"
    assert "12 batch counters were missing" in capsys.readouterr().out


def test_says_what_is_missing_and_what_is_left_over(weights, config, store, tmp_path):
    other = {k: v for k, v in weights.items() if not k.startswith("cate_predictor")}
    other["embed_extractor.bn.weight"] = torch.ones(2)
    file = tmp_path / "other.pth"
    torch.save(other, file)

    complaint = refuse(file, config, store)

    assert "2 missing (cate_predictor.linear_cate.weight, cate_predictor.linear_cate.bias)" in (
        complaint
    )
    assert "1 left over (embed_extractor.bn.weight)" in complaint


def test_says_whose_shape_is_another(weights, config, store, tmp_path):
    file = tmp_path / "coarse.pth"
    torch.save(dict(weights) | {"attr_predictor.linear_attr.bias": torch.zeros(1000)}, file)

    assert "attr_predictor.linear_attr.bias is [1000], [26] is needed" in refuse(
        file, config, store
    )


def test_refuses_numbers_that_are_none(weights, config, store, tmp_path):
    file = tmp_path / "diverged.pth"
    torch.save(dict(weights) | {"concat.fc_fusion.bias": torch.full((4,), torch.nan)}, file)

    assert "concat.fc_fusion.bias holds numbers that are none" in refuse(file, config, store)


class Bomb:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
def test_executes_nothing_that_is_pickled(old, weights, config, store, tmp_path):
    trace, file = tmp_path / "was-executed", tmp_path / "evil.pth"
    content = {"meta": Bomb(trace), "state_dict": dict(weights)}
    torch.save(content, file, _use_new_zipfile_serialization=not old)

    complaint = refuse(file, config, store)

    assert "holds more than weights: it would run posix.system" in complaint
    assert not trace.exists()


def test_refuses_a_whole_pickled_network(config, store, tmp_path):
    file = tmp_path / "model.pth"
    torch.save(SuperPoint(), file)

    assert "holds more than weights" in refuse(file, config, store)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
@pytest.mark.parametrize("part", [0.03, 0.5, 0.99])
def test_refuses_a_truncated_file(part, old, weights, config, store, tmp_path):
    file = tmp_path / "latest.pth"
    torch.save(dict(weights), file, _use_new_zipfile_serialization=not old)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * part)])

    assert "latest.pth is" in refuse(file, config, store)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"<html>Sign in to Google Drive</html>", "is not a PyTorch checkpoint"),
        (pickle.dumps({"state_dict": 1}, protocol=2), "is not a PyTorch checkpoint"),
        (os.urandom(5000), "is not a PyTorch checkpoint"),
    ],
    ids=["empty", "html", "pickle", "noise"],
)
def test_refuses_what_is_no_checkpoint(content, complaint, config, store, tmp_path):
    file = tmp_path / "download.pth"
    file.write_bytes(content)

    assert complaint in refuse(file, config, store)


def test_refuses_another_archive(config, store, tmp_path):
    file = tmp_path / "photos.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", b"x")

    assert "an archive, but not of PyTorch" in refuse(file, config, store)


def test_refuses_a_missing_file(config, store, tmp_path):
    assert "cannot be read" in refuse(tmp_path / "nowhere.pth", config, store)


def test_refuses_more_than_tensors(config, store, tmp_path):
    file = tmp_path / "latest.pth"
    torch.save({"state_dict": {"backbone": "vgg"}}, file)

    assert "holds more than tensors" in refuse(file, config, store)


EVIL = {
    "call": "import os\nx = os.system('touch {trace}')\n" + CONFIG,
    "import": "import subprocess\n" + CONFIG,
    "from": "from os import system\n" + CONFIG,
    "loop": "for i in range(9):\n    pass\n" + CONFIG,
    "comprehension": "x = [i for i in (1, 2)]\n" + CONFIG,
    "attribute": "x = ().__class__\n" + CONFIG,
    "f-string": "x = f'{1 + 1}'\n" + CONFIG,
    "shadowed dict": "import os\ndict = os\n" + CONFIG,
    "base": "_base_ = '../other.py'\n" + CONFIG,
    "imports": "custom_imports = dict(imports=['os'])\n" + CONFIG,
    "substitution": "x = '{{ fileDirname }}'\n" + CONFIG,
    "environment": "x = '{{$HOME:}}'\n" + CONFIG,
    "power": "x = 9 ** 9 ** 9\n" + CONFIG,
    "lambda": "x = lambda: 1\n" + CONFIG,
    "walrus": "(x := 1)\n" + CONFIG,
    "star": "x = dict(**{'a': 1})\n" + CONFIG,
}


@pytest.mark.parametrize("kind", EVIL)
def test_refuses_a_configuration_that_executes_something(kind, weights, store, tmp_path):
    trace, config, file = tmp_path / "was-executed", tmp_path / "evil.py", tmp_path / "latest.pth"
    config.write_text(EVIL[kind].replace("{trace}", str(trace)))
    torch.save(dict(weights), file)

    complaint = refuse(file, config, store)

    assert "evil.py" in complaint
    assert "executed" in complaint or "from outside" in complaint
    assert not trace.exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("model = dict(", "is no Python"),
        ("optimizer = dict(type='SGD')", "describes no model"),
        ("model = dict(type='MaskRCNN')", "no model 'MaskRCNN'"),
        (CONFIG.replace("outchannels=attribute_num", "outchannels=-1"), "positive whole number"),
        (CONFIG.replace("2 * 4", "'8' * 10"), "is needed"),
        (CONFIG.replace("2 * 4", "'8' * 10**10"), "would be executed"),
        (CONFIG.replace("type='Concat', ", ""), "type is missing"),
    ],
)
def test_says_what_is_wrong_with_a_configuration(text, complaint, weights, store, tmp_path):
    config, file = tmp_path / "odd.py", tmp_path / "latest.pth"
    config.write_text(text)
    torch.save(dict(weights), file)

    assert complaint in refuse(file, config, store)


def test_reads_one_of_cp_vtons_two_networks(store, tmp_path):
    config, file = tmp_path / "cp_vton.py", tmp_path / "gmm.pth"
    config.write_text(
        "import torch.nn as nn\n"
        "GMM = dict(type='GeometricMatching')\n"
        "TOM = dict(type='Tryon', norm_layer=nn.InstanceNorm2d)\n"
    )
    torch.save({"a": torch.zeros(1)}, file)

    assert "say --part GMM or --part TOM" in refuse(file, config, store)
    assert "feature_extractor_a is missing" in refuse(file, config, store, part="GMM")


@pytest.mark.parametrize("name", ["../evil", "Upper", "a b", "a/b"])
def test_refuses_a_name_that_is_a_path(name, config, store, weights, tmp_path):
    file = tmp_path / "latest.pth"
    torch.save(dict(weights), file)

    with pytest.raises(importing.CannotImport, match="is no name"):
        importing.import_weights(file, config=str(config), store=store, name=name)


def test_says_how_much_memory_is_needed_before_reading(monkeypatch, config, store, tmp_path):
    file = tmp_path / "resnet.pth"
    with file.open("wb") as stream:
        stream.truncate(1_800_000_000)
    few = type("Memory", (), {"available": 900_000_000})
    monkeypatch.setattr("psutil.virtual_memory", lambda: few)

    assert "needs 2.3 GB of memory, 0.9 GB are free" in refuse(file, config, store)


def test_whole_names_come_with_their_list(weights, config, store, tmp_path):
    names, file = tmp_path / "list_attr_cloth.txt", tmp_path / "latest.pth"
    lines = [f"abstract print {i}      {i % 5 + 1}" for i in range(26)]
    names.write_text("\n".join(["26", "attribute_name  attribute_type", *lines]) + "\n")
    torch.save(dict(weights), file)

    run(file, config, store, attributes=names)

    assert specs.find("tiny", store=store).attributes[0][1][0] == "abstract print 0"


def test_refuses_a_list_that_names_another_number(weights, config, store, tmp_path):
    names, file = tmp_path / "list_attr_cloth.txt", tmp_path / "latest.pth"
    names.write_text("1\nattribute_name  attribute_type\nfloral  1\n")
    torch.save(dict(weights), file)

    assert "names 1 attributes, the model answers 26" in refuse(
        file, config, store, attributes=names
    )


ATTEMPTS = {
    "socket": "import socket; socket.socket()",
    "program": "import subprocess; subprocess.run(['true'])",
    "exec": "import os; os.execv('/bin/true', ['true'])",
    "system": "import os; os.system('true')",
    "write": "open('{outside}', 'w')",
    "remove": "import os; os.remove('{outside}')",
    "socket below Python": "libc.socket(2, 1, 0) < 0 and raise_()",
}


@pytest.mark.parametrize("kind", ATTEMPTS)
def test_a_confined_process_may_not(kind, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("kept")
    inside = tmp_path / "inside"
    inside.mkdir()
    script = (
        "import ctypes, pathlib\n"
        "from inference.mmfashion import confinement\n"
        "libc = ctypes.CDLL(None)\n"
        "def raise_(): raise PermissionError\n"
        f"confinement.forbid(writable=pathlib.Path({str(inside)!r}))\n"
        f"open({str(inside / 'note')!r}, 'w').close()\n"
        "try:\n"
        f"    {ATTEMPTS[kind].replace('{outside}', str(outside))}\n"
        "except PermissionError:\n"
        "    print('refused')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=Path(importing.ROOT),
        check=False,
    )

    assert done.stdout == "refused\n", done.stderr
    assert outside.read_text() == "kept"


def test_a_confined_process_has_little_memory(tmp_path):
    script = (
        "from inference.mmfashion import confinement\n"
        "confinement.limit_resources(memory=2**29, seconds=20, file_size=2**20)\n"
        "try:\n    bytearray(2**30)\nexcept MemoryError:\n    print('refused')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=Path(importing.ROOT),
        check=False,
    )

    assert done.stdout == "refused\n", done.stderr
