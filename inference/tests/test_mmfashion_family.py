"""An imported family in the engine: kalas-1's words, and the original's beside."""

import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from django.core.management import CommandError, call_command
from PIL import Image

from inference import ancestors, families, specs, taxonomy
from inference.contract import AnnotationResult, InvalidImage
from inference.mmfashion import engine, meanings, names
from inference.mmfashion.pictures import read_picture
from inference.mmfashion.tensors import write_tensors
from inference.networks.mmfashion import build, released
from inference.request import NoWords, Photo
from inference.specs import BadWeights, WeightsSpec
from inference.tests.photos import encode, paint
from inference.tests.test_mmfashion_networks import ROI
from inference.tests.threads import one_thread  # noqa: F401
from inference.weights import hash_file

GLOBAL = "category_attribute_predict/global_predictor_vgg"
COARSE = "attribute_predict_coarse/global_predictor_vgg_attr"
DETECTOR = "landmark_detect/landmark_detect_vgg"
RETRIEVER = "retriever_in_shop/global_retriever_vgg_loss_id"


def shrink(name):
    """The released model with few units."""
    config = json.loads(json.dumps(released.CONFIGS[name]))
    config["global_pool"]["inter_channels"][1:] = [8]
    config["global_pool"]["outchannels"] = 8
    if "roi_pool" in config:
        config["roi_pool"]["outchannels"] = 8
        config["concat"] |= {"inchannels": 16, "outchannels": 8}
    for part in ("attr_predictor", "cate_predictor", "embed_extractor"):
        if config.get(part):
            config[part]["inchannels"] = 8
    if "landmark_feature_extractor" in config:
        config["landmark_feature_extractor"]["inchannels"] = 8
    if "embed_extractor" in config:
        config["embed_extractor"]["inter_channels"] = [256, 5]
    return config


def store_model(store, name, config):
    torch.manual_seed(len(name))
    store.mkdir(exist_ok=True)
    spec = WeightsSpec(
        name=name,
        version="1",
        architecture="mmfashion",
        taxonomy="deepfashion",
        sha256="",
        config=json.dumps(config),
        folder=store,
    )
    known = names.find(config, labels=None, attributes=None)
    if known:
        named = (("deepfashion", known.attributes),)
        spec = replace(spec, labels=known.categories, attributes=named)
    write_tensors(spec.path, build.build(config).state_dict())
    specs.write(replace(spec, sha256=hash_file(spec.path)))
    return spec


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, config in (
        ("fine", GLOBAL),
        ("fine-roi", ROI),
        ("coarse", COARSE),
        ("landmarks", DETECTOR),
        ("retriever", RETRIEVER),
    ):
        store_model(folder, name, shrink(config))
    return folder


@pytest.fixture(scope="module")
def photo():
    pixels = np.full((120, 90, 3), 255, np.uint8)
    pixels[20:100, 20:70] = (30, 60, 200)
    kept = BytesIO()
    Image.fromarray(pixels).save(kept, "PNG")
    return kept.getvalue()


def ask(family, photo):
    """The result; an exception fails the test."""
    [outcome] = family.annotate([Photo(photo)])
    assert isinstance(outcome, AnnotationResult)
    return outcome


def test_answers_in_both_languages(store, photo):
    family = families.load("fine", store=store)

    result = ask(family, photo)

    [garment] = result.garments
    known = taxonomy.load()
    assert known.category(garment.category.name).object_type == garment.object
    assert result.original["categories"].keys() == set(names.CATEGORIES)
    assert result.original["attributes"].keys() == set(names.FINE_ATTRIBUTES)
    assert sum(result.original["category_probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert garment.colours[0].name.endswith("blue")
    assert (garment.box.left, garment.box.top) == pytest.approx((20, 20), abs=3)
    assert result.model.name == "fine"
    assert AnnotationResult.from_json(json.loads(json.dumps(result.to_json()))) == result


@torch.inference_mode()
def test_the_original_words_are_the_networks_own(store, photo):
    network = engine.load_network(specs.find("fine", store=store))
    attributes, categories = network(read_picture(photo)[None])

    result = ask(families.load("fine", store=store), photo)

    found = result.original
    assert list(found["attributes"].values()) == pytest.approx(
        attributes[0].sigmoid().tolist(), abs=1e-6
    )
    assert list(found["categories"].values()) == pytest.approx(
        categories[0].sigmoid().tolist(), abs=1e-6
    )


def test_is_the_same_each_time(store, photo):
    family = families.load("fine", store=store)

    first, second = ask(family, photo), ask(family, photo)

    assert (first.garments, first.original) == (second.garments, second.original)


def test_a_second_predictors_attributes_and_a_retrievers_embedding_count(store, photo):
    family = families.load("fine+coarse+retriever", store=store)

    result = ask(family, photo)

    assert len(result.original["attributes"]) == 1000
    assert len(result.original["categories"]) == 50
    assert np.linalg.norm(result.garments[0].embedding) == pytest.approx(1, abs=1e-4)
    assert result.model.version.startswith("1-")
    assert result.model.version != families.load("fine+coarse", store=store).model.version


def test_looks_around_the_landmarks_that_a_detector_finds(store, photo):
    result = ask(families.load("fine-roi+landmarks", store=store), photo)

    assert result.garments


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ("fine-roi", "add an imported landmark detector"),
        ("coarse", "a predictor of categories is needed"),
        ("retriever", "a predictor of categories is needed"),
    ],
)
def test_says_what_a_family_lacks(choice, complaint, store):
    with pytest.raises(BadWeights, match=complaint):
        families.load(choice, store=store)


def test_a_changed_weights_file_is_refused(store, tmp_path):
    spec = store_model(tmp_path / "models", "fine", shrink(GLOBAL))
    data = bytearray(spec.path.read_bytes())
    data[-1] ^= 1
    spec.path.write_bytes(data)

    with pytest.raises(BadWeights, match="not those that were imported"):
        families.load("fine", store=spec.folder)


def test_one_bad_photo_fails_alone(store, photo):
    family = families.load("fine", store=store)

    bad, tiny, good = family.annotate([Photo(b"no photo"), Photo(make_tiny_photo()), Photo(photo)])

    assert isinstance(bad, InvalidImage)
    assert isinstance(tiny, AnnotationResult)
    assert isinstance(good, AnnotationResult)
    assert tiny.abstained == "too-small"
    assert good.garments


def make_tiny_photo():
    kept = BytesIO()
    Image.new("RGB", (20, 20), "red").save(kept, "PNG")
    return kept.getvalue()


def test_reads_no_words(store):
    with pytest.raises(NoWords):
        families.load("fine", store=store).embed_texts(["red dress"])


def test_every_category_has_a_meaning_and_every_meaning_is_kalas():
    known = taxonomy.load()
    read = meanings._read()

    assert read["categories"].keys() == set(names.CATEGORIES)
    assert all(known.category(name) for name in read["categories"].values())
    values = {(a.key, v.name) for a in known.attributes for v in a.values}
    assert {tuple(v) for v in read["attributes"].values()} <= values
    assert {("style", v) for v in read["styles"].values()} <= values


def test_categories_of_one_meaning_are_added():
    found = meanings.translate_categories({"Jacket": 0.3, "Parka": 0.25, "Tee": 0.45})

    assert (found.name, found.confidence) == ("coat-jacket", 0.55)
    assert found.alternatives[0].name == "t-shirt"


def test_one_value_a_key_is_said():
    found = meanings.translate_attributes(
        {"floral": 0.6, "striped": 0.9, "denim": 0.99, "tight": 0.2}, likeliest="Parka"
    )

    assert [(label.key, label.name) for label in found] == [
        ("pattern", "striped"),
        ("style", "parka"),
    ]


def test_other_choices_are_kalas_minis(store):
    assert ancestors.find("kalas-mini", store=store) is None
    assert ancestors.find("fine+coarse", store=store) == "mmfashion"


@pytest.fixture
def labelled(tmp_path):
    rows = [
        {"id": f"{i}", "image": encode(paint(size=(48, 48), noise=i)), "label": label}
        for i, label in enumerate(["T-Shirt", "Pants", "Dress", "Skirt"] * 6)
    ]
    path = tmp_path / "photos.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_probabilities_are_calibrated_on_labelled_photos(labelled, tmp_path, photo):
    folder = tmp_path / "models"
    store_model(folder, "fine", shrink(GLOBAL))
    before = ask(families.load("fine", store=folder), photo)

    call_command("calibrate_categories", "fine", labelled, store=folder)

    after = ask(families.load("fine", store=folder), photo)
    temperature = specs.find("fine", store=folder).metrics["temperature"]
    logits = torch.tensor(list(before.original["categories"].values())).double().logit()
    assert "calibration" not in before.original
    assert after.original["calibration"] == {"temperature": temperature}
    assert temperature != 1
    assert list(after.original["category_probabilities"].values()) == pytest.approx(
        (logits / temperature).softmax(0).tolist(), abs=1e-4
    )
    assert after.original["categories"] == before.original["categories"]


@pytest.mark.parametrize(("model", "complaint"), [("nothing", "there are"), ("coarse", "needed")])
def test_calibrates_only_what_names_categories(model, complaint, store, labelled):
    with pytest.raises(CommandError, match=complaint):
        call_command("calibrate_categories", model, labelled, store=store)
