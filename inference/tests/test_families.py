"""Several models in one engine: each asked for by name, each network in memory once."""

import json

import numpy as np
import psutil
import pytest
import torch

from inference import families, specs
from inference.contract import AnnotationResult, Box, EngineHealth, Vectors
from inference.families import Families
from inference.mmfashion import companions
from inference.mmfashion.data import polyvore
from inference.mmfashion.tensors import write_tensors
from inference.networks.mmfashion import build
from inference.request import Compared, ModelRefused, Photo
from inference.specs import WeightsSpec
from inference.tests.test_mmfashion_family import (
    COARSE,
    DETECTOR,
    GLOBAL,
    RETRIEVER,
    photo,  # noqa: F401 - a fixture
    shrink,
    store_model,
)
from inference.tests.threads import one_thread  # noqa: F401
from inference.weights import hash_file

RECOMMENDER = {
    "type": "TypeAwareRecommender",
    "backbone": {"type": "ResNet", "setting": "resnet18"},
    "global_pool": {"type": "GlobalPooling", "inter_channels": [512], "outchannels": 16},
    "type_specific_net": {
        "type": "TypeSpecificNet",
        "learned": False,
        "n_conditions": 2,
        "dim_embed": 16,
    },
    "triplet_net": {
        "type": "TripletNet",
        "text_feature_dim": 4,
        "embed_feature_dim": 16,
        "learned_metric": True,
    },
}
SPACES = {("shoes", "tops"): 0, ("bags", "tops"): 1}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, config in (
        ("fine", GLOBAL),
        ("coarse", COARSE),
        ("landmarks", DETECTOR),
        ("retriever", RETRIEVER),
    ):
        store_model(folder, name, shrink(config))
    spec = WeightsSpec(
        name="outfits",
        version="1",
        architecture="mmfashion",
        taxonomy="none",
        sha256="",
        config=json.dumps(RECOMMENDER),
        attributes=(("spaces", polyvore.name_spaces(SPACES)),),
        folder=folder,
    )
    torch.manual_seed(3)
    network = build.build(RECOMMENDER)
    network.get_parameter("triplet_net.metric_branch.weight").data.normal_()
    write_tensors(spec.path, network.state_dict())
    specs.write(WeightsSpec(**{**_fields(spec), "sha256": hash_file(spec.path)}))
    return folder


def _fields(spec):
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}


@pytest.fixture(scope="module")
def models(store):
    return Families("fine", store=store, families=("fine+coarse+retriever", "nowhere+fine"))


def test_lists_what_may_be_asked_for(models):
    kinds = {other.choice: other.kind for other in models.list_others()}

    assert kinds == {
        "fine+coarse+retriever": "family",
        "landmarks": "landmarks",
        "outfits": "outfits",
    }
    health = EngineHealth("ready", "cpu", models.model, 0, 1, 0, 1.0, "", models.list_others())
    assert EngineHealth.from_json(json.loads(json.dumps(health.to_json()))) == health


def test_the_version_is_known_before_it_is_loaded(models, store, photo):  # noqa: F811
    joined = next(o for o in models.list_others() if o.kind == "family")

    [result] = models.annotate([Photo(photo, model=joined.choice)])

    assert (result.model.name, result.model.version) == (joined.name, joined.version)
    [again] = families.load(joined.choice, store=store).annotate([Photo(photo)])
    assert isinstance(again, AnnotationResult)
    assert again.garments == result.garments


def test_no_network_is_loaded_twice(models, photo):  # noqa: F811
    own, other = models.annotate([Photo(photo), Photo(photo, model="fine+coarse+retriever")])

    assert own.original["categories"] == other.original["categories"]
    assert not own.garments[0].embedding
    assert other.garments[0].embedding
    assert len(models._networks) == 3


def test_finds_landmarks_in_source_pixels(models, photo):  # noqa: F811
    [result] = models.annotate([Photo(photo, Box(20, 20, 70, 100), model="landmarks")])

    assert isinstance(result, AnnotationResult)
    assert set(result.original) == {"x", "y", "visible"}
    assert list(result.original["x"]) == list(companions.LANDMARKS)
    assert all(20 <= x <= 70 for x in result.original["x"].values())
    assert all(20 <= y <= 100 for y in result.original["y"].values())


@pytest.mark.parametrize("size", [(448, 448), (448, 224), (100, 50)])
def test_a_point_goes_back_to_where_it_came_from(size):
    area = Box(10, 20, 10 + size[0], 20 + size[1])
    scale = min(224 / size[0], 224 / size[1], 1)
    left, top = (224 - round(size[0] * scale)) // 2, (224 - round(size[1] * scale)) // 2

    assert companions.place(left + 30 * scale, top + 40 * scale, area) == pytest.approx((40, 60))


def list_vectors(kind, *rows):
    return Vectors(kind, np.array(rows, "<f4").tobytes())


@torch.inference_mode()
def test_what_goes_together_is_the_networks_own(models, photo):  # noqa: F811
    vectors = [
        models.annotate([Photo(photo, box, model="outfits")])[0].garments[0].embedding
        for box in (None, Box(0, 0, 60, 60), Box(30, 30, 90, 120))
    ]
    network = models._get("outfits")._network
    rows = network.type_specific_net(torch.tensor(vectors))
    right = [
        network.triplet_net.measure(rows[:1, 0], rows[1:2, 0]).item(),
        network.triplet_net.measure(rows[:1, -1], rows[2:, -1]).item(),
        network.triplet_net.measure(rows[:1, -1], rows[1:2, -1]).item(),
    ]

    found = models.compare(
        Compared(
            "outfits",
            list_vectors("tops", vectors[0]),
            (list_vectors("shoes", vectors[1]), list_vectors("hats", vectors[2], vectors[1])),
        )
    )

    assert found == pytest.approx(right, abs=1e-6)


@pytest.mark.parametrize("choice", ["nothing", "nowhere+fine", "retriever"])
def test_refuses_what_there_is_not(models, photo, choice):  # noqa: F811
    refused, answered = models.annotate([Photo(photo, model=choice), Photo(photo)])

    assert isinstance(refused, ModelRefused)
    assert isinstance(answered, AnnotationResult)


def test_says_what_is_wrong_with_a_comparison(models):
    with pytest.raises(ModelRefused, match="does not tell what goes together"):
        models.compare(Compared("landmarks", list_vectors("tops", [0]), ()))
    with pytest.raises(ModelRefused, match="not outfits's"):
        models.compare(
            Compared("outfits", list_vectors("tops", [0]), (list_vectors("shoes", [0]),))
        )


def test_says_how_much_memory_is_needed(store, photo, monkeypatch):  # noqa: F811
    models = Families("fine", store=store)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("M", (), {"available": 9}))

    [refused] = models.annotate([Photo(photo, model="outfits")])

    assert "GB of memory" in str(refused)
