"""Second looks: where they are worth their time, and that left and right stay what they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from inference.contract import AnnotationResult, Box
from inference.mirror import find_on_both_sides, join_maps, see_both_sides
from inference.networks.garment_finder import GarmentFinder
from inference.pipeline import Pipeline
from inference.request import Photo
from inference.runtime import Model
from inference.tests.photos import encode
from inference.tests.stand_in import CLOTH, painted_finder
from inference.tests.tiny import RED, SPEC, Recorded, doubting_network, tiny_network

TOP, LEGS = Box(100, 100, 300, 300), Box(110, 300, 290, 560)
TWICE = replace(SPEC, mirrored=True)


def draw(*boxes):
    image = np.full((640, 400, 3), (120, 150, 110), dtype=np.uint8)
    for box, detail in zip(boxes, CLOTH, strict=False):
        image[box.top : box.bottom, box.left : box.right] = CLOTH[detail]
    return Photo(encode(image, "PNG"))


def test_finds_the_same_in_a_mirrored_photo_mirrored():
    finder = GarmentFinder().eval().requires_grad_(False)
    photos = torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    for name, buffer in finder.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(generator=torch.Generator().manual_seed(2))
    seen, turned = ([part.numpy() for part in finder(p)] for p in (photos, photos.flip(3)))

    heat, edges, segments = join_maps(seen, turned)
    other_heat, other_edges, other_segments = join_maps(turned, seen)

    assert heat == pytest.approx(other_heat[..., ::-1])
    assert segments == pytest.approx(other_segments[..., ::-1])
    by_detail = edges.reshape(2, -1, 4, *edges.shape[2:])
    there = other_edges[..., ::-1].reshape(by_detail.shape)
    for own, its in enumerate((2, 1, 0, 3)):
        assert by_detail[:, :, own] == pytest.approx(there[:, :, its])


def test_looks_once_where_a_version_gains_nothing_by_two():
    model = Model(SPEC, tiny_network, finder=painted_finder)

    assert see_both_sides(model) is tiny_network
    assert find_on_both_sides(model) is painted_finder
    assert find_on_both_sides(Model(SPEC, tiny_network)) is None


@pytest.mark.parametrize("spec", [SPEC, TWICE], ids=["as it is", "mirrored"])
def test_the_two_looks_at_a_photo_see_its_two_sides(spec):
    garments = Recorded(doubting_network)
    image = np.full((112, 84, 3), 255, dtype=np.uint8)
    image[:, :42] = CLOTH["top"]

    Pipeline(Model(spec, garments)).annotate([Photo(encode(image, "PNG"))])

    [entire], [whole] = garments.shown
    assert entire[48, 10, 1] < 100
    assert (whole[48, 10, 1] > 200) == spec.mirrored


def test_a_garment_that_all_of_the_photo_shows_without_doubt_is_looked_at_once():
    garments = Recorded(tiny_network)
    image = np.full((112, 84, 3), 255, dtype=np.uint8)
    image[10:-10, 10:-10] = CLOTH["top"]
    photo = Photo(encode(image, "PNG"))

    [mirrored] = Pipeline(Model(TWICE, garments)).annotate([photo])
    looks = len(garments.shown)
    [usual] = Pipeline(Model(SPEC, garments)).annotate([photo])

    assert isinstance(mirrored, AnnotationResult)
    assert isinstance(usual, AnnotationResult)
    assert (looks, len(garments.shown)) == (1, 3)
    assert mirrored.garments[0].category.name == usual.garments[0].category.name == RED
    assert mirrored.garments[0].box == usual.garments[0].box


def test_a_garment_of_open_colour_is_looked_at_again():
    garments = Recorded(tiny_network)
    image = np.full((112, 84, 3), 255, dtype=np.uint8)
    image[10:-10, 10:-10] = CLOTH["top"]
    spec = replace(TWICE, colour_families=("red", "green", "blue"))

    Pipeline(Model(spec, garments)).annotate([Photo(encode(image, "PNG"))])

    assert len(garments.shown) == 2


def test_what_was_found_as_something_else_is_looked_at_whatever_all_of_the_photo_shows():
    garments = Recorded(tiny_network)
    street = np.random.default_rng(1).integers(60, 200, (640, 400, 3), dtype=np.uint8)
    street[60:580, 60:340] = (230, 60, 20)
    street[150:300, 150:250] = CLOTH["lower"]

    Pipeline(Model(TWICE, garments, finder=painted_finder)).annotate([Photo(encode(street, "PNG"))])

    assert sum(map(len, garments.shown)) == 3


@pytest.mark.parametrize("logit", [4.0, 0.5])
def test_looks_from_nearer_where_it_is_open_for_whom_the_product_is(logit):
    looks = [logit, -2.5, logit] if logit < 1 else [logit, logit]

    def say_women(*inputs):
        *answer, _ = doubting_network(*inputs)
        women = looks.pop(0)
        return [*answer, np.array([[women, 0]] * len(inputs[0]), np.float32)]

    spec = replace(TWICE, attributes=(("gender", ("women", "men")),))
    garments = Recorded(say_women)

    [result] = Pipeline(Model(spec, garments)).annotate([draw(TOP)])

    _entire, *nearer, _whole = garments.shown
    assert isinstance(result, AnnotationResult)
    assert [each.shape for each in nearer] == ([] if logit > 1 else [(1, *spec.input_size, 3)])
    [label] = result.garments[0].attributes
    assert label.name == ("women" if logit > 1 else "men")
