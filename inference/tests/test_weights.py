import dataclasses

import pytest
import safetensors.torch
import torch

from inference import registry, specs, taxonomy, weights
from inference.networks.garment_net import GarmentNet
from inference.specs import BadWeights, UnknownModel, WeightsSpec


@pytest.fixture
def store(tmp_path):
    """Two versions of a tiny model; the newer knows another label and has another order."""
    write_version(
        tmp_path,
        version="9",
        labels=("jeans", "t-shirt", "not-a-garment"),
        attributes=(("gender", ("women", "men")),),
    )
    write_version(
        tmp_path,
        version="10",
        labels=("t-shirt", "skirt", "jeans", "not-a-garment"),
        attributes=(("gender", ("men", "women")), ("pattern", ("solid", "striped", "checked"))),
    )
    return tmp_path


def write_version(store, *, version, labels, attributes) -> WeightsSpec:
    spec = WeightsSpec(
        name="small",
        version=version,
        architecture="garment-net",
        taxonomy="kalas-1",
        sha256="",
        input_size=(40, 30),
        widths=(8, 8),
        depths=(1, 1),
        labels=labels,
        colour_families=("red", "blue"),
        attributes=attributes,
        floors={"gender": 0.75},
        licence="Apache-2.0",
        data=('A "quoted" set: CC0', "Çizgili: MIT"),
        metrics={"category top-1": 0.5},
        folder=store,
    )
    torch.manual_seed(int(version))
    network = GarmentNet(
        labels=len(labels),
        colours=2,
        attributes=spec.attribute_values,
        widths=spec.widths,
        depths=spec.depths,
    )
    tensors = {k: v.half() if v.ndim else v for k, v in network.state_dict().items()}
    spec.path.write_bytes(safetensors.torch.save(tensors))
    return specs.read(weights.write_sidecar(spec))


def test_chooses_the_newest_version_or_a_given_one(store):
    assert specs.find("small", store=store).version == "10"
    assert specs.find("small@9", store=store).version == "9"
    assert specs.list_versions("small", store=store) == ["9", "10"]


@pytest.mark.parametrize("choice", ["small@11", "large", "", "../small@9"])
def test_refuses_what_is_not_there_and_says_what_is(store, choice):
    with pytest.raises(UnknownModel, match="small@10, small@9"):
        specs.find(choice, store=store)


@torch.inference_mode()
def test_versions_work_side_by_side_each_with_its_own_heads(store):
    crops = torch.zeros(2, 3, 40, 30)

    old, new = (
        registry.build_described(specs.find(choice, store=store))(crops)
        for choice in ("small@9", "small@10")
    )

    assert (old.category.shape, old.attributes.shape) == ((2, 3), (2, 2))
    assert (new.category.shape, new.attributes.shape) == ((2, 4), (2, 5))


def test_a_description_says_the_same_after_writing_and_reading(store):
    spec = specs.find("small@10", store=store)

    assert specs.read(specs.write(spec)) == spec
    assert spec.attributes[1] == ("pattern", ("solid", "striped", "checked"))
    assert spec.data == ('A "quoted" set: CC0', "Çizgili: MIT")
    assert spec.floors == {"gender": 0.75}
    assert len(spec.sha256) == 64


def test_refuses_to_describe_heads_that_the_file_does_not_have(store):
    spec = specs.find("small@10", store=store)

    with pytest.raises(BadWeights, match="category head"):
        weights.write_sidecar(dataclasses.replace(spec, labels=spec.labels[1:]))


@pytest.mark.parametrize("text", ["name = ", 'colour = "red"', 'name = "small"'])
def test_refuses_a_broken_description(store, text):
    (store / "small-11.toml").write_text(text)

    with pytest.raises(BadWeights, match="small-11"):
        specs.find("small", store=store)


def test_every_shipped_version_speaks_of_what_the_taxonomy_knows():
    names = taxonomy.load()
    shipped = [specs.find(choice) for choice in specs.list_choices()]

    assert "kalas-mini@6" in [spec.choice for spec in shipped]
    for spec in shipped:
        assert weights.load(spec)
        if spec.architecture == "garment-net":
            known = {category.name for category in names.categories} | {names.abstention}
            assert set(spec.labels) <= known
            assert set(spec.colour_families) <= {family.name for family in names.colour_families}


def test_loads_half_precision_as_float32_and_counters_as_they_are(store):
    tensors = weights.load(specs.find("small", store=store))

    assert tensors["category.weight"].dtype == torch.float32
    assert tensors["category.weight"].shape == (4, 256)
    assert tensors["embed_norm.num_batches_tracked"].dtype == torch.int64


def test_refuses_a_file_that_is_not_the_described_one(store):
    spec = specs.find("small", store=store)
    spec.path.write_bytes(spec.path.read_bytes()[:-1] + b"\x01")

    with pytest.raises(BadWeights, match="sha256"):
        weights.load(spec)


def test_refuses_a_missing_file(store):
    spec = specs.find("small", store=store)
    spec.path.unlink()

    with pytest.raises(BadWeights, match="cannot be read"):
        weights.load(spec)
