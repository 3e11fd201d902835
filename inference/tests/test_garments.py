"""Several garments in a photo, their attributes and colours, with networks that know paint."""

from dataclasses import replace

import numpy as np
import pytest

from inference import taxonomy
from inference.contract import AnnotationResult, Box
from inference.detection import DETAILS, OBJECTS, Found
from inference.pipeline import Pipeline
from inference.postprocess import Reader
from inference.request import NoWords, Photo
from inference.runtime import Model
from inference.tests.photos import encode, overlap, paint
from inference.tests.stand_in import CLOTH, SKIN, blind_finder, painted_finder
from inference.tests.tiny import BLUE, RED, SPEC, make_pipeline, tiny_network
from inference.training.detection.scenes import detail_of_category

TOP, LEGS = Box(100, 100, 300, 300), Box(110, 300, 290, 560)
LOWER = Found("lower-body", "lower", LEGS, 0.9)
KEYS = (("gender", ("women", "men")), ("sleeve-length", ("short-sleeve", "long-sleeve")))


def draw(*parts: tuple[Box, tuple[int, int, int]], ground=(120, 150, 110), size=(640, 400)):
    image = np.full((*size, 3), ground, dtype=np.uint8)
    for box, colour in parts:
        image[box.top : box.bottom, box.left : box.right] = colour
    return image


HEAD = Box(160, 20, 240, 90)
OUTFIT = draw(
    (HEAD, SKIN),
    (TOP, CLOTH["top"]),
    (LEGS, CLOTH["lower"]),
)


def annotate(image, finder=painted_finder, garments=tiny_network, **known):
    return ask(make_pipeline(garments, finder=finder), Photo(encode(image, "PNG"), **known))


def ask(pipeline: Pipeline, photo: Photo) -> AnnotationResult:
    [result] = pipeline.annotate([photo])
    assert isinstance(result, AnnotationResult)
    return result


def test_finds_the_garments_of_an_outfit_the_primary_first():
    result = annotate(OUTFIT)

    first, *others = result.garments
    assert [g.primary for g in result.garments] == [True] + [False] * len(others)
    by_object = {garment.object: garment for garment in result.garments}
    assert by_object["upper-body"].category.name == RED
    assert by_object["lower-body"].category.name == BLUE
    assert overlap(by_object["upper-body"].box, TOP) > 0.9
    assert overlap(by_object["lower-body"].box, LEGS) > 0.9
    assert first.object in {"upper-body", "lower-body"}


def test_names_each_garments_own_colour():
    colours = {g.object: [c.name for c in g.colours] for g in annotate(OUTFIT).garments}

    assert colours["upper-body"] == ["red"]
    assert colours["lower-body"] == ["blue"]


@pytest.mark.parametrize("wanted", ["upper-body", "lower-body"])
def test_the_hint_says_which_garment_is_meant(wanted):
    first, *_ = annotate(OUTFIT, hint=wanted).garments

    assert (first.object, first.primary) == (wanted, True)


def on_white(*parts: tuple[Box, tuple[int, int, int]]):
    return draw(*parts, ground=(255, 255, 255))


@pytest.mark.parametrize(
    ("wanted", "names"), [("upper-body", {RED}), ("lower-body", {BLUE}), (None, {RED, BLUE})]
)
def test_two_garments_before_a_white_ground_are_named_by_themselves(wanted, names):
    image = on_white((TOP, CLOTH["top"]), (LEGS, CLOTH["lower"]))

    first, *_ = annotate(image, hint=wanted).garments

    assert first.category.name in names
    assert first.category.confidence > 0.9


def see_streets(*inputs):
    """As tiny_network, but where there is little cloth a crop is no garment."""
    said = list(tiny_network(*inputs))
    red = np.abs(inputs[0].astype(int) - CLOTH["top"]).max(axis=3) < 40
    said[0][red.mean(axis=(1, 2)) < 0.6, -1] = 50
    return said


def test_what_was_surely_found_is_believed_though_the_street_is_no_garment():
    street = np.random.default_rng(1).integers(60, 200, (640, 400, 3), dtype=np.uint8)
    street[100:180, 100:160] = CLOTH["top"]

    [garment] = annotate(street, garments=see_streets).garments

    assert garment.category.name == RED
    assert overlap(garment.box, Box(100, 100, 160, 180)) > 0.7


def test_says_that_there_is_no_garment_where_the_finder_is_unsure():
    def unsure(*inputs):
        heat, *rest = painted_finder(*inputs)
        return [np.minimum(heat, 0), *rest]

    street = np.random.default_rng(1).integers(60, 200, (640, 400, 3), dtype=np.uint8)
    street[100:180, 100:160] = CLOTH["top"]

    result = annotate(street, unsure, garments=see_streets)

    assert (result.garments, result.abstained) == ((), "no-garment")
    # Not even a ten-thousandth is left for what it may be nevertheless.
    assert result.alternatives == ()


def see_both_as(name):
    """As tiny_network, but a top and trousers together are that."""

    def garments(*inputs):
        said = list(tiny_network(*inputs))
        both = [
            (np.abs(inputs[0].astype(int) - CLOTH[part]).max(axis=3) < 40).mean(axis=(1, 2)) > 0.15
            for part in ("top", "lower")
        ]
        said[0][both[0] & both[1], SPEC.labels.index(name)] = 50
        return said

    return garments


PAIR = on_white((TOP, CLOTH["top"]), (LEGS, CLOTH["lower"]))


def test_a_top_and_trousers_are_no_dress():
    found = annotate(PAIR, garments=see_both_as("dress")).garments
    meant = annotate(PAIR, garments=see_both_as("dress"), hint="full-body").garments

    assert sorted(g.category.name for g in found) == [BLUE, RED]
    assert meant[0].category.name == "dress"


def test_a_top_and_trousers_may_be_pyjamas():
    first, *_ = annotate(PAIR, garments=see_both_as("nightwear")).garments

    assert (first.category.name, first.object) == ("nightwear", "full-body")
    assert overlap(first.box, Box(100, 100, 300, 560)) > 0.9


def test_a_garment_is_named_by_the_whole_photo_too():
    """A sleeve alone may be anything; the photo shows what it belongs to."""

    def see_shirts(*inputs):
        said = list(tiny_network(*inputs))
        shows_ground = (inputs[0] > 250).all(axis=3).mean(axis=(1, 2)) > 0.2
        said[0][shows_ground, SPEC.labels.index("shirt")] = 12
        return said

    [garment] = annotate(on_white((TOP, CLOTH["top"])), garments=see_shirts).garments

    assert (garment.category.name, garment.object) == ("shirt", "upper-body")
    assert overlap(garment.box, TOP) > 0.9


def test_reads_for_whom_it_is_from_the_whole_photo():
    spec = replace(SPEC, attributes=KEYS)

    def see(*inputs):
        said = list(tiny_network(*inputs))
        skin = (np.abs(inputs[0].astype(int) - SKIN).max(axis=3) < 40).any(axis=(1, 2))
        said[3] = np.where(skin[:, None], [9, 0, 0, 9], [0, 9, 9, 0]).astype(np.float32)
        return said

    street = np.random.default_rng(1).integers(60, 200, OUTFIT.shape, dtype=np.uint8)
    for box, colour in ((TOP, CLOTH["top"]), (LEGS, CLOTH["lower"]), (HEAD, SKIN)):
        street[box.top : box.bottom, box.left : box.right] = colour
    model = Model(spec, see, finder=painted_finder)

    garments = ask(Pipeline(model), Photo(encode(street, "PNG"))).garments

    said = {g.object: {label.key: label.name for label in g.attributes} for g in garments}
    assert said["upper-body"] == {"gender": "women", "sleeve-length": "short-sleeve"}
    assert said["lower-body"] == {"gender": "women"}


def test_what_is_cut_out_has_no_say_in_for_whom_it_is():
    spec = replace(SPEC, attributes=KEYS)

    def see(*inputs):
        said = list(tiny_network(*inputs))
        ground = (inputs[0] > 250).all(axis=3).mean(axis=(1, 2)) > 0.5
        said[3] = np.where(ground[:, None], [1, 0, 0, 9], [0, 9, 9, 0]).astype(np.float32)
        return said

    model = Model(spec, see, finder=painted_finder)
    image = on_white((Box(150, 150, 250, 250), CLOTH["top"]))

    [garment] = ask(Pipeline(model), Photo(encode(image, "PNG"))).garments

    assert {label.key: label.name for label in garment.attributes}["gender"] == "women"


def test_a_hint_that_nothing_in_the_photo_fits_changes_nothing():
    street = np.random.default_rng(1).integers(60, 200, OUTFIT.shape, dtype=np.uint8)
    for box, colour in ((TOP, CLOTH["top"]), (LEGS, CLOTH["lower"])):
        street[box.top : box.bottom, box.left : box.right] = colour

    found = annotate(street)

    assert [g.category.name for g in found.garments] == [BLUE, RED]
    assert annotate(street, hint="footwear").garments == found.garments


def test_the_hint_holds_where_nothing_of_it_was_found():
    [first, *_] = annotate(draw((TOP, CLOTH["top"])), hint="footwear").garments

    assert first.object == "footwear"


def test_the_finder_sees_only_what_was_asked_about():
    result = annotate(OUTFIT, crop=Box(0, 310, 400, 640))

    assert {g.object for g in result.garments} & {"upper-body"} == set()
    assert all(g.box.top >= 310 for g in result.garments)


def test_a_crop_that_was_drawn_shows_nothing_beside_it():
    shown = []

    def watch(*inputs):
        shown.append(inputs[0])
        return tiny_network(*inputs)

    [garment] = annotate(
        OUTFIT, blind_finder, garments=watch, crop=Box(100, 260, 300, 300)
    ).garments

    assert garment.category.name == RED
    assert not (np.abs(shown[0].astype(int) - CLOTH["lower"]).max(axis=3) < 40).any()


def test_goes_by_the_foreground_where_the_finder_sees_nothing():
    image = draw((TOP, CLOTH["top"]), ground=(255, 255, 255))

    [garment] = annotate(image, finder=blind_finder).garments

    assert garment.category.name == RED
    assert overlap(garment.box, TOP) > 0.9


def test_goes_by_the_outline_of_an_only_garment_before_a_plain_ground():
    """The finder's sight is coarse: half of this collar's width is nothing to it."""
    image = draw((TOP, CLOTH["top"]), (Box(190, 80, 210, 100), (90, 20, 30)), ground=(255,) * 3)

    [garment] = annotate(image).garments

    assert garment.box.top < 90
    assert garment.box == annotate(image, finder=blind_finder).garments[0].box


@pytest.mark.parametrize("ground", [(255, 255, 255), (120, 150, 110)], ids=["plain", "green"])
def test_never_takes_skin_or_ground_for_the_garments_colour(ground):
    """Half of the garment's box shows arms, the neck and the ground."""
    image = draw((TOP, CLOTH["top"]), ground=ground)
    image[100:300, 100:150] = image[100:300, 250:300] = SKIN
    image[100:180, 180:220] = SKIN
    image[250:300, 100:300] = ground
    image[250:300, 150:250] = CLOTH["top"]

    garments = annotate(image).garments

    [top] = [g for g in garments if g.object == "upper-body"]
    assert [colour.name for colour in top.colours] == ["red"]


def test_a_batch_answers_as_its_photos_alone_do():
    pipeline = make_pipeline(finder=painted_finder)
    photos = [Photo(encode(image, "PNG")) for image in (OUTFIT, draw(), OUTFIT[:, ::-1])]

    together = pipeline.annotate(photos)

    for outcome, photo in zip(together, photos, strict=True):
        assert isinstance(outcome, AnnotationResult)
        assert replace(outcome, timings_ms={}) == replace(ask(pipeline, photo), timings_ms={})


def test_leaves_out_what_the_classifier_knows_is_no_garment():
    def only_red(*inputs):
        said = list(tiny_network(*inputs))
        red = inputs[0][:, 40, 36, 0] > 150
        said[0][~red, -1] = 50
        return said

    mostly_red = draw((TOP, CLOTH["top"]), (Box(110, 300, 290, 400), CLOTH["lower"]))

    result = annotate(mostly_red, garments=only_red)

    assert [g.category.name for g in result.garments] == [RED]


def test_says_when_nothing_can_be_made_out():
    dark = ask(make_pipeline(), Photo(encode(np.full((90, 90, 3), 8, np.uint8))))
    unsure = replace(SPEC, floors={"category": 0.99})
    vague = Pipeline(Model(unsure, tiny_network))
    unclear = ask(vague, Photo(encode(paint(garment=(140, 110, 120)), quality=95)))

    assert (dark.garments, dark.abstained) == ((), "unreadable")
    assert (unclear.garments, unclear.abstained) == ((), "unreadable")


def reader(keys=KEYS, **floors: float) -> Reader:
    return Reader(replace(SPEC, attributes=keys, floors=floors), taxonomy.load())


@pytest.mark.parametrize(("nothing", "is_one"), [(0.45, True), (0.55, False)])
def test_what_is_rather_a_garment_is_one_though_no_category_is_as_likely(nothing, is_one):
    probabilities = np.zeros(len(SPEC.labels), np.float32)
    probabilities[:2] = (1 - nothing) / 2
    probabilities[SPEC.labels.index(taxonomy.load().abstention)] = nothing

    assert reader().is_garment(probabilities) == is_one


def read_attributes(category: str, logits, keys=KEYS, **floors: float):
    probabilities = np.zeros(len(SPEC.labels), np.float32)
    probabilities[SPEC.labels.index(category)] = 1
    garment = reader(keys, **floors).garment(
        probabilities,
        np.array(logits, np.float32),
        primary=True,
        box=Box(0, 0, 9, 9),
        box_confidence=1,
        colours=(),
        embedding=np.ones(1, np.float32),
    )
    return {(label.key, label.name): label.confidence for label in garment.attributes}


def test_names_one_value_of_each_key_with_its_confidence():
    found = read_attributes("t-shirt", [2, 0, 3, 0])

    assert found == {
        ("gender", "women"): pytest.approx(0.8808, abs=1e-3),
        ("sleeve-length", "short-sleeve"): pytest.approx(0.9526, abs=1e-3),
    }


def test_says_nothing_below_a_keys_floor():
    assert read_attributes("t-shirt", [2, 0, 3, 0], gender=0.9, **{"sleeve-length": 0.96}) == {}


def test_an_only_possible_value_is_no_surer_for_that():
    names = taxonomy.load()
    values = ("polo-collar", "crew-neck")
    assert [names.tells("neckline", v, "t-shirt") for v in values] == [False, True]
    keys, torn = (KEYS[0], ("neckline", values)), [0, 2, 0, 0.2]

    found = read_attributes("t-shirt", torn, keys)

    assert found["neckline", "crew-neck"] == pytest.approx(0.55, abs=0.01)
    assert {key for key, _ in read_attributes("t-shirt", torn, keys, neckline=0.6)} == {"gender"}


def test_says_nothing_that_such_a_garment_cannot_have():
    assert {key for key, _ in read_attributes("jeans", [2, 0, 3, 0])} == {"gender"}


def test_believes_the_finder_softly():
    labels = SPEC.labels
    torn = np.zeros(len(labels), np.float32)
    torn[labels.index("dress")], torn[labels.index("skirt")] = 0.55, 0.45
    sure = np.zeros(len(labels), np.float32)
    sure[labels.index("dress")], sure[labels.index("skirt")] = 0.99, 0.01

    assert labels[int(reader().expect(torn, LOWER).argmax())] == "skirt"
    assert labels[int(reader().expect(sure, LOWER).argmax())] == "dress"
    assert reader().expect(torn, LOWER).sum() == pytest.approx(1)


@pytest.mark.parametrize("name", [n for n in SPEC.labels if n != taxonomy.load().abstention])
def test_a_category_fits_what_the_finder_learned_to_call_it(name):
    detail = detail_of_category(name)
    assert detail is not None
    label = np.eye(len(SPEC.labels), dtype=np.float32)[SPEC.labels.index(name)]
    torn = (label + np.roll(label, 1)) / 2

    believed = reader().expect(torn, Found(OBJECTS[detail], detail, LEGS, 0.9))

    assert believed[SPEC.labels.index(name)] >= 0.5


def test_embeds_words_where_the_model_knows_them():
    def words(*inputs):
        ids, weights = inputs
        return [np.stack([weights.sum(axis=1), ids.max(axis=1)], axis=1)]

    vectors = make_pipeline(words=words).embed_texts(["red dress", "jeans"])

    assert [len(vector) for vector in vectors] == [2, 2]
    tees, usual = make_pipeline(words=words).embed_texts(["Tees for ladies", "t-shirt women"])
    assert tees == usual
    with pytest.raises(NoWords, match="tiny@0"):
        make_pipeline().embed_texts(["red dress"])


def test_what_was_surely_found_is_named_even_if_only_guessed():
    image = draw((TOP, CLOTH["top"]), (LEGS, CLOTH["lower"]))

    def guess(*inputs):
        heads = tiny_network(*inputs)
        return [heads[0] / 20, *heads[1:]]

    def ask_with(finder):
        model = Model(replace(SPEC, floors={"category": 0.95}), guess, finder=finder)
        return ask(Pipeline(model), Photo(encode(image, "PNG")))

    def unsure(*inputs):
        heat, *rest = painted_finder(*inputs)
        return [np.minimum(heat, 0), *rest]

    def unsure_of_legs(*inputs):
        heat, *rest = painted_finder(*inputs)
        heat[:, DETAILS.index("lower")] = np.minimum(heat[:, DETAILS.index("lower")], 0)
        return [heat, *rest]

    sure, vague = ask_with(painted_finder), ask_with(unsure)
    partly = ask_with(unsure_of_legs)

    assert [g.object for g in sure.garments] == ["lower-body", "upper-body"]
    assert (vague.garments, vague.abstained) == ((), "unreadable")
    assert [g.object for g in partly.garments] == ["upper-body"]


@pytest.mark.parametrize(
    ("top", "looks"), [(Box(60, 60, 340, 580), 2), (Box(150, 60, 250, 200), 3)]
)
def test_looks_closer_at_an_only_garment_only_where_it_is_a_part(top, looks):
    shown = []

    def count(*inputs):
        shown.append(len(inputs[0]))
        return tiny_network(*inputs)

    street = np.random.default_rng(1).integers(60, 200, (640, 400, 3), dtype=np.uint8)
    street[60:580, 60:340] = (200, 200, 60)
    street[10:60, 150:250] = SKIN
    street[top.top : top.bottom, top.left : top.right] = CLOTH["top"]

    [garment] = annotate(street, garments=count).garments

    assert garment.category.name == RED
    assert overlap(garment.box, top) > 0.8
    assert sum(shown) == looks


def test_what_was_found_as_two_things_and_is_one_is_named_once():
    def see_a_hat_too(*inputs):
        heat, edges, segments = painted_finder(*inputs)
        hat, top = DETAILS.index("headwear"), DETAILS.index("top")
        heat[:, hat] = heat[:, top] - 0.1
        edges[:, hat * 4 : hat * 4 + 4] = edges[:, top * 4 : top * 4 + 4]
        return [heat, edges, segments]

    def sure(*inputs):
        category, *rest = tiny_network(*inputs)
        return [category * 3, *rest]

    result = annotate(OUTFIT, finder=see_a_hat_too, garments=sure)

    assert [g.object for g in result.garments] == ["lower-body", "upper-body"]
