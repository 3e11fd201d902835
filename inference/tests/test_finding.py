"""How closely the finder looks at a photo: no closer than it tells something more."""

import numpy as np
import pytest

from inference.contract import Box
from inference.detection import GLANCE, SIZE, fit
from inference.finding import Finder
from inference.mirror import mirror
from inference.preprocess import whole
from inference.tests.stand_in import CLOTH, SKIN, painted_finder
from inference.tests.tiny import Recorded

TOP, LEGS, SMALL = Box(100, 100, 300, 300), Box(110, 300, 290, 560), Box(100, 500, 150, 560)
FACE, HAND = Box(150, 20, 250, 100), Box(20, 300, 70, 360)


def draw(*parts):
    image = np.full((640, 400, 3), (120, 150, 110), dtype=np.uint8)
    for box, colour in parts:
        image[box.top : box.bottom, box.left : box.right] = colour
    return image


ALONE = draw((TOP, CLOTH["top"]))
WORN = draw((TOP, CLOTH["top"]), (FACE, SKIN))
SEVERAL = draw((TOP, CLOTH["top"]), (LEGS, CLOTH["lower"]))


def look(*images, looks_twice=True):
    """What was found in each, and the (height, width) and number of what the network was shown."""
    network = Recorded(painted_finder)
    finder = Finder(network, looks_twice=looks_twice)
    sights = finder.find(
        [finder.fit(image, whole(image)) for image in images],
        lambda chosen: [fit(images[i], whole(images[i])) for i in chosen],
    )
    return sights, network.shown


@pytest.mark.parametrize(
    ("image", "sizes"),
    [
        (ALONE, [GLANCE]),
        (draw(), [GLANCE]),
        (WORN, [GLANCE, SIZE]),
        (SEVERAL, [GLANCE, SIZE, SIZE]),
        (draw((TOP, CLOTH["top"]), (HAND, SKIN)), [GLANCE]),
        (draw((SMALL, CLOTH["top"]), (HAND, SKIN)), [GLANCE, SIZE]),
        (draw((HAND, SKIN)), [GLANCE, SIZE]),
    ],
    ids=["alone", "nothing", "worn", "several", "a hand", "small and a hand", "only a hand"],
)
def test_looks_closer_only_where_there_may_be_more(image, sizes):
    _, shown = look(image)

    assert [each.shape[1:3] for each in shown] == sizes


def test_the_last_look_is_at_the_mirror_image():
    _, (_, once, again) = look(SEVERAL)

    assert (again == mirror(once)).all()


def test_a_version_that_gains_nothing_by_the_mirror_looks_once_as_it_always_did():
    for image in (ALONE, WORN, SEVERAL):
        _, shown = look(image, looks_twice=False)

        assert [each.shape for each in shown] == [(1, *SIZE, 3)]


def test_finds_the_same_boxes_at_a_glance():
    [[found], [closely]] = [look(ALONE, looks_twice=twice)[0][0].found for twice in (True, False)]

    for box in (found.box, closely.box):
        assert np.abs(np.subtract(box.as_tuple(), TOP.as_tuple())).max() <= 16


def test_neighbours_in_a_batch_change_nothing():
    images = (ALONE, SEVERAL, WORN, ALONE)

    together, shown = look(*images)

    assert [len(each) for each in shown] == [4, 2, 1]
    for image, sight in zip(images, together, strict=True):
        assert sight.found == look(image)[0][0].found
