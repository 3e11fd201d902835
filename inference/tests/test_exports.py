"""Exported networks: as good as torch's, made once, and used only if they are."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import safetensors.torch

from inference import export, exports, runtime, specs, torch_networks, weights
from inference.detection import DETAILS, GLANCE, SIZE
from inference.networks.garment_finder import GarmentFinder
from inference.networks.garment_net import MEAN, STD, GarmentNet
from inference.networks.text_net import TextNet
from inference.runtime import OnnxNetwork
from inference.specs import WeightsSpec
from inference.words import encode_words

WIDTHS, DEPTHS = (8, 8, 8, 8), (1, 1, 1, 1)


def write(folder, name, architecture, network, **known) -> WeightsSpec:
    spec = WeightsSpec(name, "1", architecture, "kalas-1", "", folder=folder, **known)
    spec.path.write_bytes(safetensors.torch.save(network.state_dict()))
    return specs.read(weights.write_sidecar(spec))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> WeightsSpec:
    """One of all three parts, with random weights."""
    folder = tmp_path_factory.mktemp("store")
    finder = GarmentFinder(widths=WIDTHS, depths=DEPTHS, path=8, head=8)
    write(
        *(folder, "eyes", "garment-finder", finder),
        input_size=SIZE,
        widths=WIDTHS,
        depths=DEPTHS,
        neck=(8, 8),
        labels=DETAILS,
    )
    write(folder, "ears", "text-net", TextNet())
    return write(
        *(folder, "small", "garment-net"),
        GarmentNet(
            labels=3, colours=2, attributes=2, widths=WIDTHS, depths=DEPTHS, colour_hidden=4
        ),
        colour_hidden=4,
        input_size=(40, 30),
        mean=MEAN,
        std=STD,
        widths=WIDTHS,
        depths=DEPTHS,
        labels=("t-shirt", "jeans", "not-a-garment"),
        colour_families=("red", "blue"),
        attributes=(("gender", ("women", "men")),),
        finder="eyes@1",
        text="ears@1",
    )


@pytest.fixture(scope="module")
def cache(model, tmp_path_factory):
    cache = tmp_path_factory.mktemp("exports")
    assert exports.find(model, cache=cache) is None
    errors = export.export(model, cache=cache)
    assert set(errors) == {"garments", "words", "finder"}
    return cache


def test_answers_as_torch_does_at_any_batch_size(model, cache):
    files = exports.ensure(model, cache=cache).files
    reference = torch_networks.open_model(model, device="cpu")
    crops = np.random.default_rng(1).integers(0, 256, (11, 40, 30, 3), dtype=np.uint8)
    photos, glances = (
        np.random.default_rng(1).integers(0, 256, (2, *size, 3), dtype=np.uint8)
        for size in (SIZE, GLANCE)
    )
    texts = encode_words(["red", "a long list of words about a dress", "jeans"])

    asked = (
        ("garments", (crops,)),
        ("finder", (photos,)),
        ("finder", (glances,)),
        ("words", texts),
    )
    for part, inputs in asked:
        found = OnnxNetwork(files[part])(*inputs)
        for one, other in zip(found, getattr(reference, part)(*inputs), strict=True):
            assert one.shape == other.shape
            assert np.abs(one - other).max() <= 1e-3 * np.abs(other).max()


def test_is_not_made_again(model, cache, monkeypatch):
    monkeypatch.setattr(exports, "_make", lambda *_: pytest.fail("made again"))

    assert exports.ensure(model, cache=cache).files["garments"].exists()


def test_other_weights_have_another_export(model, cache):
    others = (
        dataclasses.replace(model, sha256="0" * 64),
        dataclasses.replace(model, input_size=(48, 36)),
    )

    for other in others:
        assert exports.place(other, cache=cache) != exports.place(model, cache=cache)


def test_a_damaged_export_counts_as_none(model, cache):
    file = exports.ensure(model, cache=cache).files["words"]
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[:-1])
        assert exports.find(model, cache=cache) is None
    finally:
        file.write_bytes(whole)


def test_is_not_admitted_where_it_differs(model, cache):
    folder = exports.place(model, cache=cache)
    report = json.loads((folder / exports.REPORT).read_text())
    try:
        exports.write_report(folder, {**report, "admitted": False, "reason": "it differs"})
        assert exports.find(model, cache=cache) == exports.Exported({}, "it differs")
    finally:
        exports.write_report(folder, report)


def test_tells_a_differing_export():
    def doubled(*crops):
        return [np.array([[1.0, 2.002]])]

    def right(*crops):
        return [np.array([[1.0, 2.0]])]

    def broken(*crops):
        return [np.array([[np.nan, 1]])]

    assert export.compare(right, doubled, [(np.zeros(4),)]) == pytest.approx(1e-3)
    assert export.compare(right, broken, [(np.zeros(4),)]) > 1


def test_runs_in_torch_and_says_why_where_there_is_no_export(tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "ensure", lambda *_, **__: exports.Exported(reason="no onnx"))

    model = runtime.open_model("kalas-mini@6", device="cpu", cache=tmp_path)

    assert model.runtime.startswith("torch ")
    assert model.runtime.endswith("(no onnx)")


def test_a_failing_export_is_told_and_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    spec = specs.find("kalas-mini@6")

    assert "exit status 1" in exports.ensure(spec, cache=tmp_path).reason
    assert exports.find(spec, cache=tmp_path) is None
