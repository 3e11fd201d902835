from dataclasses import replace

import numpy as np
import pytest

from inference.contract import Box
from inference.detection import (
    DETAILS,
    EDGE_UNIT,
    OBJECTS,
    SEGMENTS,
    SIZE,
    STRIDE,
    Detail,
    Found,
    choose_primary,
    decode_maps,
    fit,
    overlap,
    tidy,
)
from inference.outlines import SIDE, outline
from inference.tests.drawn import encoded_boxes, perfect_edges

H, W = SIZE[0] // STRIDE, SIZE[1] // STRIDE
PHOTO = Box(0, 0, 300, 600)


def garment(detail: Detail, box: tuple[int, int, int, int], confidence: float = 0.9) -> Found:
    return Found(OBJECTS[detail], detail, Box(*box), confidence)


def logit(share: np.ndarray) -> np.ndarray:
    share = share.clip(1e-4, 1 - 1e-4)
    return np.asarray(np.log(share / (1 - share)), dtype=np.float32)


def answer(boxes: np.ndarray, details: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a finder says that has learned everything."""
    named, targets = encoded_boxes(boxes.astype(np.float32), details, size=SIZE)
    edges = perfect_edges(named, targets)[0].numpy()
    segments = np.zeros((len(SEGMENTS), H, W), np.float32)
    segments[0] = 4
    for box, detail in zip(boxes, details, strict=True):
        left, top, right, bottom = (round(v / STRIDE) for v in box)
        segments[:, top:bottom, left:right] = 0
        segments[SEGMENTS.index(DETAILS[detail]), top:bottom, left:right] = 9
    return logit(targets.heat[0].numpy()), edges, segments


@pytest.mark.parametrize("shape", [(512, 384), (600, 300), (300, 600), (80, 60), (2000, 1700)])
def test_finds_what_was_drawn_where_it_was_drawn(shape):
    photo = np.zeros((*shape, 3), np.uint8)
    area = Box(0, 0, shape[1], shape[0])
    _, frame = fit(photo, area)
    middle_x, middle_y = SIZE[1] / 2, SIZE[0] / 2
    drawn = np.array(
        [
            [middle_x - 40, middle_y - 40, middle_x + 40, middle_y],
            [middle_x - 20, middle_y - 36, middle_x + 20, middle_y - 4],
            [middle_x - 30, middle_y, middle_x + 30, middle_y + 40],
        ],
        np.float32,
    )
    names: list[Detail] = ["outer", "top", "lower"]

    heat, edges, _ = answer(drawn, np.array([DETAILS.index(n) for n in names]))
    found = decode_maps(heat, edges, frame=frame, least=0.5)

    assert sorted(g.detail for g in found) == sorted(names)
    for box, name in zip(drawn, names, strict=True):
        found_one = next(g for g in found if g.detail == name)
        expected = (box / frame.scale) + np.tile((frame.left, frame.top), 2)
        assert np.abs(np.array(found_one.box.as_tuple()) - expected).max() <= 1 + 1 / frame.scale


def test_places_around_a_peak_that_see_the_same_garment_settle_its_box():
    heat, edges = np.full((len(DETAILS), H, W), -9, np.float32), np.zeros((len(DETAILS) * 4, H, W))
    reach = np.log(np.expm1(np.full(4, 40 / EDGE_UNIT)))
    edges[:4] = reach[:, None, None]
    heat[0, 20, 20], heat[0, 20, 21] = 2.0, 1.9
    # One place to the right sees the same box from there; its right neighbour another thing.
    edges[:4, 20, 21] = np.log(np.expm1(np.array([44, 40, 40, 40]) / EDGE_UNIT))
    heat[0, 21, 20] = 1.9
    edges[:4, 21, 20] = np.log(np.expm1(np.array([8, 8, 8, 8]) / EDGE_UNIT))
    _, frame = fit(np.zeros((*SIZE, 3), np.uint8), Box(0, 0, SIZE[1], SIZE[0]))

    [found] = decode_maps(heat, edges.astype(np.float32), frame=frame, least=0.5)

    left, top, right, bottom = found.box.as_tuple()
    assert (left, top, bottom) == (42, 42, 122)
    assert right in (123, 124, 125)


@pytest.mark.parametrize("scale", [1, 10], ids=["a small photo", "a phone's"])
def test_masks_cover_the_garment_and_not_what_is_over_it(scale):
    photo = np.zeros((512 * scale, 384 * scale, 3), np.uint8)
    _, frame = fit(photo, Box(0, 0, 384 * scale, 512 * scale))
    drawn = np.array([[40, 40, 140, 200], [70, 60, 110, 180]], np.float32)
    heat, edges, segments = answer(drawn, np.array([DETAILS.index("outer"), DETAILS.index("top")]))

    found = outline(decode_maps(heat, edges, frame=frame), segments, frame=frame)

    coat = next(g for g in found if g.detail == "outer")
    assert coat.mask is not None
    height, width = coat.mask.shape
    assert (height, width) == (SIDE, round(SIDE * coat.box.width / coat.box.height))
    assert coat.mask[height // 2, width // 2] < 60
    # The shirt is as far from the coat's edges as it was drawn.
    row = coat.mask[height // 2] > 128
    assert np.flatnonzero(~row)[[0, -1]] == pytest.approx([0.3 * width, 0.7 * width - 1], abs=2)


def test_keeps_to_the_area_that_was_asked_about():
    photo = np.zeros((512, 384, 3), np.uint8)
    area = Box(100, 100, 300, 400)
    _, frame = fit(photo, area)
    drawn = np.array([[0, 0, SIZE[1], SIZE[0]]], np.float32)

    heat, edges, _ = answer(drawn, np.array([DETAILS.index("full")]))

    assert [g.box for g in decode_maps(heat, edges, frame=frame)] == [area]


def test_what_lies_mostly_outside_was_not_asked_about():
    """Someone draws a crop around a bag: the coat behind it is not meant."""
    photo = np.zeros((512, 384, 3), np.uint8)
    _, frame = fit(photo, Box(100, 100, 200, 240))
    bag, coat = [10, 10, 150, 210], [-200, -300, 100, 220]
    heat, edges, _ = answer(np.array([bag], np.float32), np.array([DETAILS.index("bag")]))
    of_coat, far, _ = answer(np.array([coat], np.float32), np.array([DETAILS.index("outer")]))
    heat, edges = np.maximum(heat, of_coat), edges + far - np.log(np.expm1(0.1 / EDGE_UNIT))

    assert [g.detail for g in decode_maps(heat, edges, frame=frame, least=0.5)] == ["bag"]


def test_says_nothing_where_nothing_is():
    photo = np.zeros((512, 384, 3), np.uint8)
    _, frame = fit(photo, Box(0, 0, 384, 512))

    heat, edges, _ = answer(np.zeros((0, 4), np.float32), np.zeros(0, int))

    assert decode_maps(heat, edges, frame=frame) == []


def test_a_shoe_beside_the_upper_body_is_a_hand():
    shirt, trousers = garment("top", (80, 80, 220, 280)), garment("lower", (90, 270, 210, 520))
    hand, shoe = garment("footwear", (60, 240, 85, 270)), garment("footwear", (90, 520, 140, 560))

    assert tidy([shirt, trousers, hand, shoe], area=PHOTO) == [shirt, trousers, shoe]


def test_a_photo_of_shoes_keeps_a_shoe_in_its_middle():
    shoe = garment("footwear", (60, 200, 240, 330))
    badge = garment("top", (100, 250, 140, 350), 0.35)

    assert tidy([shoe, badge], area=PHOTO) == [shoe, badge]


def test_of_two_lower_bodies_on_one_person_the_larger_is_bare_legs():
    shorts, legs = garment("lower", (90, 270, 210, 350), 0.8), garment("lower", (90, 270, 210, 540))

    assert tidy([shorts, legs], area=PHOTO) == [shorts]
    faint = replace(shorts, confidence=0.2)
    assert tidy([faint, legs], area=PHOTO) == [legs, faint]


def test_two_products_side_by_side_stay_two():
    one, other = garment("lower", (10, 100, 140, 500)), garment("lower", (160, 100, 290, 400), 0.8)

    assert tidy([one, other], area=PHOTO) == [one, other]


def test_one_thing_seen_as_two_details_is_the_surer_one():
    coat, shirt = garment("outer", (80, 80, 220, 300), 0.6), garment("top", (82, 80, 220, 296), 0.8)
    under = garment("top", (120, 90, 180, 290), 0.5)

    assert tidy([coat, shirt, under], area=PHOTO) == [shirt, under]


def test_the_photo_is_about_what_is_large_and_in_the_middle():
    dress, bag = garment("full", (80, 80, 220, 450)), garment("bag", (220, 300, 290, 400), 0.99)
    aside = garment("full", (0, 0, 140, 370))

    assert choose_primary([bag, dress], area=PHOTO) == dress
    assert choose_primary([aside, dress], area=PHOTO) == dress
    assert choose_primary([], area=PHOTO) is None


def test_the_hint_decides_among_what_was_found():
    shirt, shoe = garment("top", (80, 80, 220, 300)), garment("footwear", (90, 520, 140, 560))

    assert choose_primary([shirt, shoe], area=PHOTO, hint="footwear") == shoe
    assert choose_primary([shirt, shoe], area=PHOTO, hint="full-body") == shirt


def test_overlap_is_intersection_over_union():
    assert overlap(Box(0, 0, 10, 10), Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap(Box(0, 0, 10, 10), Box(10, 0, 20, 10)) == 0
