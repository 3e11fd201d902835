"""eTryOn's three stages, alone and together, in the engine and on a folder of photos."""

import json
from dataclasses import replace
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
import torch
from django.core.management import CommandError, call_command
from PIL import Image

from inference import families, specs, taxonomy
from inference.contract import AnnotationResult, Box, InvalidImage
from inference.etryon import engine, flat_lays, heuristics, mallzee, names, overlay, stages
from inference.etryon.heuristics import Found
from inference.etryon.stages import Seen, Stages
from inference.mmfashion.tensors import write_tensors
from inference.networks import etryon
from inference.request import NoWords, Photo
from inference.specs import BadWeights, WeightsSpec
from inference.tests.photos import encode, paint
from inference.tests.threads import one_thread  # noqa: F401
from inference.weights import hash_file

ALL = "finder+namer+teller"


def store_stage(store, name, config, **settings):
    torch.manual_seed(len(name))
    store.mkdir(exist_ok=True)
    answers = names.find(config, labels=None, attributes=None)
    written = {**answers.settings, **settings}
    spec = WeightsSpec(
        name=name,
        version="1",
        architecture="etryon",
        taxonomy="mallzee",
        sha256="",
        input_size=(64, 64),
        config=json.dumps(written),
        labels=answers.labels,
        attributes=answers.attributes,
        floors={"object": 0.0} if "detector" in config else {},
        folder=store,
    )
    write_tensors(spec.path, etryon.build(written).state_dict())
    specs.write(replace(spec, sha256=hash_file(spec.path)))
    return spec


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    small = {"size": 64, "longest": 96, "anchors": [8, 16, 32, 64, 96]}
    store_stage(folder, "finder", "etryon/detector", **small)
    store_stage(folder, "namer", "etryon/category")
    store_stage(folder, "teller", "etryon/attributes")
    return folder


@pytest.fixture
def image():
    return paint(size=(120, 90), noise=20)


def test_all_stages_answer_together(store, image):
    seen = Stages(ALL, store=store).see(image)

    assert seen
    assert all(one.object in mallzee.OBJECTS for one in seen)
    assert set(seen[0].classes) == set(mallzee.NAMES)
    assert sum(seen[0].classes.values()) == pytest.approx(1, abs=1e-4)
    assert {key: len(words) for key, words in seen[0].labels.items()} == {
        "pattern": 20,
        "style": 90,
    }
    assert all(len(one.said) <= 2 for one in seen)


@pytest.mark.parametrize(
    ("choice", "has_classes", "has_labels"),
    [("finder", False, False), ("namer", True, False), ("teller", False, True)],
)
def test_each_stage_answers_alone(choice, has_classes, has_labels, store, image):
    seen = Stages(choice, store=store).see(image)

    assert bool(seen[0].classes) is has_classes
    assert bool(seen[0].labels) is has_labels
    if choice != "finder":
        assert seen[0].box == Box(0, 0, 90, 120)
    if choice == "namer":
        assert seen[0].object == mallzee.find_object(seen[0].name)


def test_a_batch_of_garments_is_answered_as_each_alone(store, image):
    namer = Stages("namer", store=store)
    boxes = [Box(0, 0, 90, 120), Box(10, 20, 60, 80)]

    both = namer.name(image, boxes)
    alone = [namer.name(image, [box])[0] for box in boxes]

    for together, single in zip(both, alone, strict=True):
        assert list(together.values()) == pytest.approx(list(single.values()), abs=1e-5)


def test_the_threshold_decides_what_is_found(store, image):
    assert Stages("finder", store=store, threshold=0.0).see(image)
    assert Stages("finder", store=store, threshold=1.0).see(image) == []


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [("namer+namer", "one category is enough"), ("namer+kalas", "kalas")],
)
def test_refuses_what_makes_no_sense(choice, complaint, store):
    with pytest.raises((BadWeights, specs.UnknownModel), match=complaint):
        Stages(choice, store=store)


def test_says_what_it_needs_before_loading(store, monkeypatch):
    class Memory(NamedTuple):
        available: int

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(50_000_000))
    monkeypatch.setattr(stages, "load_network", lambda *_, **__: pytest.fail("It was loaded."))

    with pytest.raises(BadWeights, match=r"needs 1\.3 GB of memory, 50 MB are free"):
        Stages(ALL, store=store)


def test_a_changed_weights_file_is_refused(tmp_path):
    spec = store_stage(tmp_path / "models", "namer", "etryon/category")
    data = bytearray(spec.path.read_bytes())
    data[-1] ^= 1
    spec.path.write_bytes(data)

    with pytest.raises(BadWeights, match="not those that were kept"):
        Stages("namer", store=spec.folder)


def test_answers_as_a_family_in_kalas_words(store, image):
    family = families.load("namer+teller", store=store)

    [outcome] = family.annotate([Photo(encode(image, "PNG"))])

    assert isinstance(outcome, AnnotationResult)
    [garment] = outcome.garments
    assert taxonomy.load().category(garment.category.name).object_type == garment.object
    assert len(outcome.original["categories"]) == 23
    assert len(outcome.original["attributes"]) == 110
    assert outcome.model.version.startswith("1-")
    assert AnnotationResult.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome
    with pytest.raises(NoWords):
        family.embed_texts(["red dress"])


def test_finds_garments_as_a_family_and_abstains_without(store, image):
    found = engine.load(ALL, store=store)
    blind = engine.EtryonPipeline(Stages(ALL, store=store, threshold=1.0))

    [some, bad] = found.annotate([Photo(encode(image)), Photo(b"no photo")])
    [nothing] = blind.annotate([Photo(encode(image))])

    assert isinstance(some, AnnotationResult)
    assert [garment.primary for garment in some.garments].count(True) == 1
    assert isinstance(bad, InvalidImage)
    assert isinstance(nothing, AnnotationResult)
    assert nothing.abstained == "no-garment"


def test_a_family_needs_categories(store):
    with pytest.raises(BadWeights, match="the category stage is needed"):
        families.load("finder", store=store)


def test_homonyms_mean_what_the_class_says():
    words = {"style": {"boyfriend": 0.9}}
    said: Any = {"style": "boyfriend"}

    for name, style in (("jeans", "boyfriend-jeans"), ("t-shirts", "boyfriend-t-shirt")):
        seen = Seen("upper-body", 1.0, Box(0, 0, 9, 9), {name: 1.0}, words, said)  # type: ignore[arg-type]
        assert [label.name for label in engine.translate_labels(seen)] == [style]
    dress = Seen("full-body", 1.0, Box(0, 0, 9, 9), {"dresses": 1.0}, words, said)  # type: ignore[arg-type]
    assert list(engine.translate_labels(dress)) == []


def find(kind, *box, confidence=0.99):
    return Found(kind, confidence, Box(*box))


def test_a_shoe_in_mid_picture_or_beside_the_shirt_is_a_hand():
    shirt = find("upper-body", 30, 10, 80, 60)
    low_shirt = find("upper-body", 30, 60, 80, 95)
    shoe = find("footwear", 40, 90, 60, 100)
    middle = find("footwear", 20, 50, 30, 60)

    assert heuristics.apply([shirt, shoe, middle], height=100) == [shirt, shoe]
    assert heuristics.apply([low_shirt, find("footwear", 20, 78, 30, 84)], height=100) == [
        low_shirt
    ]


def test_a_photo_of_shoes_keeps_them():
    middle = find("footwear", 20, 40, 80, 60)

    assert heuristics.apply([middle], height=100) == [middle]


def test_of_two_lower_bodies_the_smaller_one_is_worn():
    legs, shorts = find("lower-body", 20, 40, 60, 100), find("lower-body", 20, 40, 60, 60)

    assert heuristics.apply([legs, shorts], height=100) == [shorts]


def test_boxes_a_flat_lay_by_its_edges():
    box = Box(40, 60, 200, 300)
    painted = paint(size=(400, 300), box=box)

    found = flat_lays.find_box(painted)

    assert found is not None
    assert found.as_tuple() == pytest.approx(box.as_tuple(), abs=4)
    assert flat_lays.find_box(np.full((100, 100, 3), 255, np.uint8)) is None


def test_draws_boxes_in_the_objects_colours(image):
    seen = [Seen("lower-body", 0.99, Box(20, 40, 70, 110), {"jeans": 1.0}, {}, {})]

    with Image.open(BytesIO(overlay.draw(image, seen))) as drawn:
        pixels = np.asarray(drawn)

    assert pixels.shape == image.shape
    assert tuple(pixels[109, 40]) == overlay.COLOURS["lower-body"]
    assert tuple(pixels[115, 80]) == tuple(image[115, 80])


def test_answers_a_folder_of_photos(store, image, tmp_path, capsys):
    folder, out = tmp_path / "photos", tmp_path / "out"
    (folder / "new").mkdir(parents=True)
    (folder / "one.jpg").write_bytes(encode(image))
    (folder / "new" / "two.png").write_bytes(encode(image, "PNG"))
    (folder / "bad.jpg").write_bytes(b"no photo")

    with pytest.raises(SystemExit):
        call_command("etryon", folder, model=ALL, out=out, store=store)

    answers = json.loads((out / "annotations.json").read_text())
    assert [answer["file"] for answer in answers] == ["new/two.png", "one.jpg"]
    assert (answers[0]["width"], answers[0]["height"]) == (90, 120)
    garment = answers[0]["garments"][0]
    assert garment["category"]["name"] in mallzee.NAMES
    assert {"object", "confidence", "box", "category", "attributes"} == garment.keys()
    assert {p.name for p in out.iterdir()} == {"annotations.json", "new-two.png.png", "one.jpg.png"}
    written = capsys.readouterr()
    assert "GB of memory" in written.out
    assert "bad.jpg" in written.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"model": "nobody"}, "nobody"),
        ({"model": "namer", "threshold": "2"}, "between 0 and 1"),
    ],
)
def test_the_command_says_what_is_wrong(options, complaint, store, image, tmp_path):
    (tmp_path / "one.jpg").write_bytes(encode(image))
    arguments = [f"--{name}={value}" for name, value in options.items()]

    with pytest.raises(CommandError, match=complaint):
        call_command("etryon", str(tmp_path), *arguments, f"--out={tmp_path}", f"--store={store}")


def test_no_stage_is_loaded_twice(store, image):
    models = families.Families("namer", store=store, families=("namer+teller",))
    photo = encode(image, "PNG")

    answers = models.annotate([Photo(photo), Photo(photo, model="namer+teller")])

    alone, both = (answer for answer in answers if isinstance(answer, AnnotationResult))
    assert alone.original["categories"] == both.original["categories"]
    assert both.original["attributes"]
    assert len(models._networks) == 2


def test_says_how_much_memory_a_shared_stage_needs(store, image, monkeypatch):
    models = families.Families("namer", store=store, families=("namer+teller",))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("M", (), {"available": 9}))

    [refused] = models.annotate([Photo(encode(image, "PNG"), model="namer+teller")])

    assert "GB of memory" in str(refused)
