"""The stages in order, with a tiny network whose answers are known."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from PIL import Image

from inference import colours, detection, finding, pipeline, runtime, taxonomy
from inference.contract import AnnotationResult, Box, InvalidImage
from inference.request import Photo
from inference.runtime import Model
from inference.specs import UnknownModel
from inference.tests.photos import encode, overlap, paint, read_demo
from inference.tests.stand_in import blind_finder
from inference.tests.tiny import BLUE, RED, SPEC, doubting_network, make_pipeline, tiny_network

BOX = Box(75, 100, 225, 300)
RED_PHOTO = encode(paint(garment=(220, 30, 40), box=BOX), quality=95)
BLUE_PHOTO = encode(paint(garment=(30, 40, 220), box=BOX), quality=95)
EMPTY_PHOTO = encode(paint(garment=(255, 255, 255)))


def annotate(*photos: Photo):
    return make_pipeline().annotate(photos)


def test_answers_with_box_category_alternatives_and_colours():
    [result] = annotate(Photo(RED_PHOTO))

    assert (result.width, result.height, result.abstained) == (300, 400, None)
    assert (result.model.name, result.model.taxonomy) == ("tiny", "kalas-1")
    [garment] = result.garments
    assert (garment.object, garment.primary) == ("upper-body", True)
    assert overlap(garment.box, BOX) > 0.9
    assert garment.category.name == RED
    assert len(garment.category.alternatives) == 4
    assert garment.category.confidence > garment.category.alternatives[0].confidence
    assert [colour.name for colour in garment.colours] == ["red"]
    assert np.linalg.norm(garment.embedding) == pytest.approx(1, abs=1e-4)
    assert set(result.timings_ms) == {"decode", "detect", "colours", "classify"}


def test_survives_its_own_json():
    [result] = annotate(Photo(RED_PHOTO))

    assert AnnotationResult.from_json(result.to_json()) == result


def test_reads_results_of_before_abstentions_had_alternatives():
    [result] = annotate(Photo(EMPTY_PHOTO))
    stored = result.to_json()
    del stored["alternatives"]

    assert AnnotationResult.from_json(stored) == replace(result, alternatives=())


def test_a_bad_image_fails_alone():
    first, bad, torn, last = annotate(
        Photo(RED_PHOTO), Photo(b"no photo"), Photo(RED_PHOTO[:900]), Photo(BLUE_PHOTO)
    )

    assert first.garments[0].category.name == RED
    assert isinstance(bad, InvalidImage)
    assert isinstance(torn, InvalidImage)
    assert last.garments[0].category.name == BLUE


def test_an_unforeseen_error_of_one_photo_stays_its_own(monkeypatch):
    def fail_on_blue(pixels, real=colours.find_shades):
        if pixels[:, 2].mean() > 150:
            raise ZeroDivisionError
        return real(pixels)

    monkeypatch.setattr(colours, "find_shades", fail_on_blue)

    good, bad = annotate(Photo(RED_PHOTO), Photo(BLUE_PHOTO))

    assert good.garments
    assert isinstance(bad, ZeroDivisionError)


def test_a_photo_that_cannot_be_shown_to_the_finder_fails_alone(monkeypatch):
    def fail_on_blue(image, *others, real=detection.fit):
        if image[200, 150, 2] > 150:
            raise ZeroDivisionError
        return real(image, *others)

    monkeypatch.setattr(finding, "fit", fail_on_blue)

    good, bad = make_pipeline(finder=blind_finder).annotate([Photo(RED_PHOTO), Photo(BLUE_PHOTO)])

    assert isinstance(good, AnnotationResult)
    assert good.garments
    assert isinstance(bad, ZeroDivisionError)


def test_an_error_of_the_network_is_everybodys():
    def broken(*inputs):
        raise RuntimeError("the device is lost")

    with pytest.raises(RuntimeError, match="device"):
        make_pipeline(broken).annotate([Photo(RED_PHOTO)])


def test_looks_only_into_the_crop():
    image = paint(size=(400, 600), garment=(220, 30, 40), box=Box(40, 100, 200, 300))
    image[100:300, 400:560] = (30, 40, 220)
    photo = encode(image, quality=95)

    left, right = annotate(Photo(photo, Box(0, 0, 290, 400)), Photo(photo, Box(310, 0, 600, 400)))

    assert left.garments[0].category.name == RED
    assert overlap(left.garments[0].box, Box(40, 100, 200, 300)) > 0.9
    assert right.garments[0].category.name == BLUE
    assert overlap(right.garments[0].box, Box(400, 100, 560, 300)) > 0.9
    assert (right.width, right.height) == (600, 400)


def test_clips_a_crop_to_the_photo_and_refuses_one_outside():
    clipped, outside = annotate(
        Photo(RED_PHOTO, Box(50, 50, 9000, 9000)), Photo(RED_PHOTO, Box(300, 0, 400, 100))
    )

    assert clipped.garments[0].category.name == RED
    assert isinstance(outside, InvalidImage)
    assert outside.code == "crop-outside"


def test_a_hint_leaves_only_its_object_type():
    [result] = annotate(Photo(RED_PHOTO, hint="footwear"))

    names = [result.garments[0].category.name]
    names += [other.name for other in result.garments[0].category.alternatives]
    assert {taxonomy.load().category(name).object_type for name in names} == {"footwear"}


def test_abstains_where_there_is_no_garment():
    [result] = annotate(Photo(EMPTY_PHOTO))

    assert (result.garments, result.abstained) == ((), "no-garment")


def doubt(*inputs):
    """As tiny_network, but never sure."""
    logits, *rest = tiny_network(*inputs)
    return [logits / 4, *rest]


def test_says_what_it_may_be_where_it_abstains():
    reddish = encode(paint(garment=(255, 232, 232)), "PNG")

    [result] = make_pipeline(doubt).annotate([Photo(reddish)])

    assert isinstance(result, AnnotationResult)
    shares = [each.confidence for each in result.alternatives]
    assert (result.garments, result.abstained) == ((), "no-garment")
    assert result.alternatives[0].name == RED
    assert len(shares) == 5
    assert shares == sorted(shares, reverse=True)
    # What is left beside that it is no garment.
    assert 0 < sum(shares) < 0.5
    assert taxonomy.load().abstention not in {each.name for each in result.alternatives}
    assert AnnotationResult.from_json(result.to_json()) == result


@pytest.mark.parametrize(
    "photo",
    [Photo(encode(paint(size=(31, 200)))), Photo(RED_PHOTO, Box(0, 0, 20, 300))],
    ids=["photo", "crop"],
)
def test_abstains_where_too_little_is_seen(photo):
    [result] = annotate(photo)

    assert (result.garments, result.abstained) == ((), "too-small")


def test_says_by_a_lower_confidence_that_the_box_is_only_the_whole_photo():
    noise = np.random.default_rng(1).integers(0, 255, (200, 150, 3), dtype=np.uint8)
    noise[:, :, 2] //= 3

    [sure], [unsure] = annotate(Photo(RED_PHOTO)), annotate(Photo(encode(noise, "PNG")))

    assert unsure.garments[0].confidence < sure.garments[0].confidence


def test_turns_a_photo_by_its_exif_orientation():
    image = Image.fromarray(paint(garment=(220, 30, 40), box=BOX))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90° clockwise
    photo = encode(image, quality=95, exif=exif)

    [result] = annotate(Photo(photo))

    assert (result.width, result.height) == (400, 300)
    assert overlap(result.garments[0].box, Box(100, 75, 300, 225)) > 0.9


@pytest.mark.parametrize("kind", ["cmyk", "16-bit", "grey", "palette", "transparent", "gif"])
def test_takes_every_kind_of_photo(kind):
    image = Image.fromarray(paint(garment=(220, 30, 40), box=BOX))
    grey16 = Image.fromarray((np.asarray(image.convert("L")).astype(np.uint16)) << 8)
    photo = {
        "cmyk": lambda: encode(image.convert("CMYK")),
        "16-bit": lambda: encode(grey16, "PNG"),
        "grey": lambda: encode(image.convert("L")),
        "palette": lambda: encode(image.convert("P"), "PNG"),
        "transparent": lambda: encode(image.convert("RGBA"), "PNG"),
        "gif": lambda: encode(image, "GIF", save_all=True, append_images=[image.rotate(90)]),
    }[kind]()

    [result] = annotate(Photo(photo))

    assert overlap(result.garments[0].box, BOX) > 0.9


def test_decodes_side_by_side_with_the_same_answers():
    photos = [Photo(RED_PHOTO), Photo(b""), Photo(BLUE_PHOTO), Photo(EMPTY_PHOTO)]
    with ThreadPoolExecutor(3) as decoders:
        parallel = pipeline.Pipeline(Model(SPEC, tiny_network), decoders=decoders)
        answers = parallel.annotate(photos)

    assert [without_times(answer) for answer in answers] == [
        without_times(answer) for answer in annotate(*photos)
    ]


@pytest.mark.parametrize("name", ["clothing-blazer-00b8048d.jpg", "outfit-0035.jpg"])
def test_idle_helpers_change_nothing_of_a_single_photo(name):
    shipped = runtime.open_model("kalas-mini", device="cpu")
    photo = Photo(read_demo(name))
    with ThreadPoolExecutor(1) as helpers:
        [helped] = pipeline.Pipeline(shipped, helpers=helpers).annotate([photo])

    [alone] = pipeline.Pipeline(shipped).annotate([photo])

    assert isinstance(helped, AnnotationResult)
    assert isinstance(alone, AnnotationResult)
    assert [(g.box, g.category.name, g.colours) for g in helped.garments] == [
        (g.box, g.category.name, g.colours) for g in alone.garments
    ]
    for garment, same in zip(helped.garments, alone.garments, strict=True):
        assert garment.category.confidence == pytest.approx(same.category.confidence, abs=1e-3)
        assert garment.embedding == pytest.approx(same.embedding, abs=1e-4)


def test_helpers_that_are_busy_are_not_waited_for():
    may_end = Event()
    with ThreadPoolExecutor(1) as helpers:
        helpers.submit(may_end.wait, 60)
        busy = pipeline.Pipeline(Model(SPEC, doubting_network), helpers=helpers)

        [answer] = busy.annotate([Photo(RED_PHOTO)])

        may_end.set()
    [alone] = make_pipeline(doubting_network).annotate([Photo(RED_PHOTO)])
    assert without_times(answer) == without_times(alone)


def without_times(answer):
    if isinstance(answer, InvalidImage):
        return answer.code
    return {**answer.to_json(), "timings_ms": None}


def test_a_batch_of_eight_equals_eight_of_one_with_the_shipped_model():
    shipped = pipeline.load("kalas-mini", device="cpu")
    names = [
        "clothing-blazer-00b8048d.jpg",
        "clothing-dress-cefb387a.jpg",
        "clothing-hat-4ac3d6f0.jpg",
        "clothing-pants-e0dc1f06.jpg",
        "clothing-polo-feaa94de.jpg",
        "clothing-shirt-b94b8ac0.jpg",
        "clothing-shoes-5fea042c.jpg",
        "outfit-0035.jpg",
    ]
    photos = [Photo(read_demo(name)) for name in names]

    together = shipped.annotate(photos)
    alone = [shipped.annotate([photo])[0] for photo in photos]

    for one, other in zip(together, alone, strict=True):
        assert isinstance(one, AnnotationResult)
        assert isinstance(other, AnnotationResult)
        assert one.abstained == other.abstained
        for garment, same in zip(one.garments, other.garments, strict=True):
            assert (garment.box, garment.colours) == (same.box, same.colours)
            assert garment.category.name == same.category.name
            assert garment.category.confidence == pytest.approx(same.category.confidence, abs=1e-3)
            assert garment.embedding == pytest.approx(same.embedding, abs=1e-4)


def test_refuses_a_model_that_is_not_shipped():
    with pytest.raises(UnknownModel):
        pipeline.load("kalas-maxi", device="cpu")
