"""What of the finder's answer is a garment of the photo."""

import numpy as np
import pytest

from inference.contract import Box
from inference.detection import OBJECTS, Detail, Found, fit
from inference.preprocess import Pixels, whole
from inference.scenes import Sight, look
from inference.tests.photos import overlap
from inference.tests.stand_in import CLOTH, SKIN, painted_finder

TOP, BELT = Box(100, 100, 300, 400), Box(120, 380, 280, 410)
FACE = Box(150, 10, 250, 90)
Part = tuple[Detail, Box, float]


def see(image: Pixels, *parts: Part) -> list[str]:
    """The details of the photo's garments where the finder says these parts."""
    pixels, frame = fit(image, whole(image))
    _heat, _edges, segments = painted_finder(pixels[None])
    found = [Found(OBJECTS[detail], detail, box, sure) for detail, box, sure in parts]
    scene = look(image, whole(image), Sight(found, segments[0], frame), size=(80, 60))
    return [view.found.detail for view in scene.garments if view.found]


@pytest.fixture
def lying() -> Pixels:
    image = np.random.default_rng(1).integers(90, 160, (640, 400, 3), np.uint8)
    image[TOP.top : TOP.bottom, TOP.left : TOP.right] = CLOTH["top"]
    return image


@pytest.fixture
def worn(lying: Pixels) -> Pixels:
    image = lying.copy()
    image[FACE.top : FACE.bottom, FACE.left : FACE.right] = SKIN
    return image


def test_what_lies_alone_has_no_belt_that_the_finder_only_guesses(lying, worn):
    guessed: list[Part] = [("top", TOP, 0.9), ("belt", BELT, 0.45)]

    assert see(lying, *guessed) == ["top"]
    assert see(worn, *guessed) == ["top", "belt"]


def test_what_lies_there_is_no_dress_and_a_skirt(lying, worn):
    both: list[Part] = [("full", TOP, 0.7), ("lower", Box(104, 100, 300, 396), 0.6)]

    assert see(lying, *both) == ["full"]
    assert see(worn, *both) == ["full", "lower"]


def test_two_things_that_lie_side_by_side_are_two(lying):
    assert see(lying, ("top", TOP, 0.9), ("belt", BELT, 0.6)) == ["top", "belt"]


def test_of_several_that_lie_there_none_is_a_guess(lying):
    bag = Box(10, 500, 90, 600)
    parts: list[Part] = [("top", TOP, 0.9), ("footwear", BELT, 0.6), ("bag", bag, 0.25)]

    assert see(lying, *parts) == ["top", "footwear"]


def test_the_only_garment_may_be_a_guess(lying):
    assert see(lying, ("top", TOP, 0.4)) == ["top"]
    assert see(lying, ("top", TOP, 0.4), ("belt", BELT, 0.3)) == ["top"]


def test_somebody_wears_even_what_is_faint(worn):
    parts: list[Part] = [("top", TOP, 0.9), ("footwear", BELT, 0.4), ("belt", BELT, 0.25)]

    assert see(worn, *parts) == ["top", "footwear", "belt"]


PRINT = Box(180, 180, 220, 240)


def boxes(image: Pixels, sure: float, box: Box = TOP) -> tuple[Box, list[Box]]:
    """The whole's and the garments' where the finder sees one top, this sure of it."""
    pixels, frame = fit(image, whole(image))
    _heat, _edges, segments = painted_finder(pixels[None])
    sight = Sight([Found("upper-body", "top", box, sure)], segments[0], frame)
    scene = look(image, whole(image), sight, size=(80, 60))
    assert scene.whole
    return scene.whole.box, [view.box for view in scene.garments]


@pytest.fixture
def printed() -> Pixels:
    """A top of the ground's colours, of which only the print stands out."""
    image = np.random.default_rng(1).integers(90, 160, (640, 400, 3), np.uint8)
    image[PRINT.top : PRINT.bottom, PRINT.left : PRINT.right] = (230, 20, 30)
    return image


def test_a_garment_that_was_surely_found_is_more_than_its_print(printed):
    assert overlap(boxes(printed, 0.55)[0], TOP) < 0.3
    assert boxes(printed, 0.9) == (TOP, [TOP])


def test_what_lies_there_is_no_faint_piece_of_it(lying):
    box, garments = boxes(lying, 0.3, PRINT)

    assert overlap(box, TOP) > 0.9
    assert garments == []
    assert boxes(lying, 0.55, PRINT)[1] == [PRINT]


def test_what_somebody_wears_may_be_a_small_part_of_them(worn):
    assert boxes(worn, 0.3, PRINT)[1] == [PRINT]
