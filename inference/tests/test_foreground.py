"""The garment's box and pixels: painted photos with a known answer, and real ones."""

import cv2
import numpy as np
import pytest

from inference.contract import Box
from inference.foreground import WHOLE_CONFIDENCE, find_foreground
from inference.preprocess import decode, whole
from inference.tests.photos import overlap, paint, read_demo

BOX = Box(80, 90, 220, 330)


@pytest.mark.parametrize(
    "background", [(255, 255, 255), (128, 128, 128), (10, 10, 10), (90, 140, 200)]
)
def test_finds_a_garment_on_a_plain_background(background):
    image = paint(background=background, garment=(200, 60, 90), box=BOX)

    found = find_foreground(image, whole(image))

    assert overlap(found.box, BOX) > 0.93
    assert found.confidence > 0.9


def test_finds_a_white_garment_on_white_by_its_edges():
    image = paint(garment=(250, 250, 250), box=BOX)
    cv2.rectangle(image, (BOX.left, BOX.top), (BOX.right - 1, BOX.bottom - 1), (205, 205, 205), 3)

    found = find_foreground(image, whole(image))

    assert overlap(found.box, BOX) > 0.88
    assert found.pixels.mean() > 235


def test_finds_a_garment_before_a_vignette():
    shade = np.linspace(235, 150, 400, dtype=np.uint8)
    image = np.repeat(np.repeat(shade[:, None, None], 300, axis=1), 3, axis=2)
    image[BOX.top : BOX.bottom, BOX.left : BOX.right] = (230, 210, 40)

    found = find_foreground(image, whole(image))

    assert overlap(found.box, BOX) > 0.93


def test_finds_a_garment_on_a_rough_floor():
    image = paint(background=(150, 110, 70), garment=(40, 60, 130), box=BOX, noise=25)

    found = find_foreground(image, whole(image))

    assert overlap(found.box, BOX) > 0.85
    assert WHOLE_CONFIDENCE < found.confidence < 0.95


def test_takes_both_shoes_of_a_pair():
    image = paint(box=Box(40, 150, 120, 300))
    image[150:300, 180:260] = (200, 30, 40)

    found = find_foreground(image, whole(image))

    assert overlap(found.box, Box(40, 150, 260, 300)) > 0.93


def test_counts_no_background_through_the_holes_of_a_garment():
    image = paint(background=(255, 255, 255), garment=(20, 30, 120), box=BOX)
    image[170:260, 120:180] = (255, 255, 255)

    found = find_foreground(image, whole(image))

    assert overlap(found.box, BOX) > 0.93
    assert (found.pixels > 200).all(axis=1).mean() < 0.03


@pytest.mark.parametrize("level", [0, 128, 255])
def test_says_whole_photo_with_low_confidence_where_nothing_stands_out(level):
    image = np.full((200, 150, 3), level, dtype=np.uint8)

    found = find_foreground(image, whole(image))

    assert found.box == whole(image)
    assert found.confidence == WHOLE_CONFIDENCE


def test_looks_only_inside_the_area():
    image = paint(size=(400, 600), box=Box(50, 100, 200, 300))
    image[100:300, 400:550] = (30, 120, 50)

    found = find_foreground(image, Box(330, 20, 600, 380))

    assert overlap(found.box, Box(400, 100, 550, 300)) > 0.9
    assert found.pixels.mean(axis=0) == pytest.approx([30, 120, 50], abs=3)


@pytest.mark.parametrize("shape", [(32, 32), (33, 2000), (2000, 33), (60, 80)])
def test_takes_any_shape(shape):
    image = paint(size=shape)

    found = find_foreground(image, whole(image))

    assert 0 <= found.box.left < found.box.right <= shape[1]
    assert 0 <= found.box.top < found.box.bottom <= shape[0]
    assert len(found.pixels) > 0


# Boxes drawn by hand around the garment, without its shadow.
@pytest.mark.parametrize(
    ("photo", "box"),
    [
        ("clothing-polo-feaa94de.jpg", Box(14, 76, 386, 452)),
        ("clothing-shirt-b94b8ac0.jpg", Box(8, 145, 385, 490)),
        ("clothing-dress-cefb387a.jpg", Box(4, 20, 336, 506)),
        ("clothing-shoes-5fea042c.jpg", Box(69, 46, 307, 426)),
        ("clothing-pants-e0dc1f06.jpg", Box(80, 44, 308, 514)),
        ("clothing-hat-4ac3d6f0.jpg", Box(80, 20, 463, 350)),
    ],
)
def test_boxes_real_photos(photo, box):
    image = decode(read_demo(photo))

    found = find_foreground(image, whole(image))

    assert overlap(found.box, box) > 0.8
