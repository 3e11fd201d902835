"""What the finder is shown in training, and what its answers cost."""

import numpy as np
import pytest
import torch

from inference.detection import DETAILS, SEGMENTS
from inference.tests.drawn import encoded_boxes, found, outfit, perfect_edges, product
from inference.training.detection.augment import (
    IGNORED,
    _put_before,
    view_collage,
    view_guess,
    view_outfit,
    whole_view,
)
from inference.training.detection.guesses import choose
from inference.training.detection.losses import edges_loss, heat_loss, segments_loss
from inference.training.detection.scenes import guess, outfit_scene, product_scene


def test_sees_the_garments_of_a_mask():
    scene = outfit_scene(*outfit())
    view = whole_view(scene, size=(120, 80))

    assert sorted(DETAILS[d] for d in view.details) == ["footwear", "footwear", "lower", "top"]
    shirt = view.boxes[list(view.details).index(DETAILS.index("top"))]
    assert shirt.tolist() == [25, 20, 55, 60]
    assert view.segments[40 // 4, 40 // 4] == SEGMENTS.index("top")
    assert view.segments[10 // 4, 40 // 4] == SEGMENTS.index("body")
    assert view.segments[0, 0] == SEGMENTS.index("ground")


def test_boxes_follow_every_random_view():
    scene, bag = outfit_scene(*outfit()), product_scene(product("red"), "bag")
    assert bag

    for seed in range(30):
        view = view_outfit(
            scene,
            size=(128, 96),
            grounds=[],
            products=[bag],
            rng=np.random.default_rng([1, seed]),
            calm=seed >= 20,
        )

        assert view.image.shape == (128, 96, 3)
        assert view.segments.shape == (32, 24)
        for box, detail in zip(view.boxes, view.details, strict=True):
            left, top, right, bottom = (int(v) for v in box)
            assert 0 <= left < right <= 96
            assert 0 <= top < bottom <= 128
            shown = view.segments == SEGMENTS.index(DETAILS[detail])
            if (right - left) > 12 and (bottom - top) > 12:
                assert shown[top // 4 : bottom // 4 + 1, left // 4 : right // 4 + 1].any()


def test_pastes_products_beside_each_other():
    products = [product_scene(product(c), "bag") for c in ("red", "blue")]
    assert None not in products

    view = view_collage(
        [p for p in products if p], size=(256, 192), grounds=[], rng=np.random.default_rng(2)
    )

    assert len(view.boxes) == 2
    one, other = view.boxes
    assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_a_thing_before_an_outfit_hides_what_is_behind():
    scene, bag = outfit_scene(*outfit()), product_scene(product("red"), "bag")
    assert bag
    hidden = 0

    for seed in range(20):
        after = _put_before(scene, bag, np.random.default_rng([2, seed]))

        number = after.details.index("bag") + 1
        assert (after.ids == number).sum() > 10
        for other in range(1, number):
            before, left = (int((ids == other).sum()) for ids in (scene.ids, after.ids))
            assert left == 0 or left >= 0.25 * before
            hidden += left < before
    assert hidden


def test_boxes_of_a_guess_follow_its_views():
    photo, _ = outfit()
    shown = guess(
        photo, [found("top", (25, 20, 55, 60), 0.5), found("lower", (28, 60, 52, 100), 0.5)]
    )

    for seed in range(20):
        view = view_guess(shown, size=(128, 96), rng=np.random.default_rng([3, seed]))

        assert [DETAILS[d] for d in view.details] == ["top", "lower"]
        assert (view.segments == IGNORED).all()
        top, lower = view.boxes
        assert top[3] == pytest.approx(lower[1], abs=0.01)
        assert 0 <= top[0] < lower[0] < lower[2] < top[2] <= 96


def test_believes_a_teacher_where_the_tags_name_what_it_sees():
    seen = [
        found("top", (25, 20, 55, 60), 0.5),
        found("top", (20, 20, 55, 60), 0.3),
        found("full", (25, 20, 55, 100), 0.6),
        found("footwear", (26, 102, 36, 112), 0.3),
        found("footwear", (44, 102, 54, 112), 0.25),
        found("lower", (28, 60, 52, 100), 0.05),
    ]

    chosen = choose(seen, ["null", "skin", "shirt", "shoes", "bag"])

    assert [(g.detail, g.confidence) for g in chosen] == [
        ("footwear", 0.3),
        ("footwear", 0.25),
        ("top", 0.5),
    ]
    assert choose(seen, ["shirt", "pants"]) == []


def test_leaves_out_products_that_somebody_wears_and_those_on_other_grounds():
    worn = product("red")
    worn[20:60, 15:45] = (205, 150, 125)

    assert product_scene(worn, "top") is None
    assert product_scene(worn, "bag") is not None
    assert product_scene(np.full((80, 60, 3), 120, np.uint8), "bag") is None


def test_a_perfect_answer_costs_next_to_nothing_and_a_wrong_one_much():
    boxes, details = np.array([[8, 8, 40, 56], [50, 10, 60, 40]], np.float32), np.array([1, 4])
    named, targets = encoded_boxes(boxes, details, size=(64, 64))
    right = torch.where(targets.heat >= 0.999, 12.0, -12.0)
    raw = perfect_edges(named, targets)

    assert heat_loss(right, targets.heat) < 1e-3
    assert heat_loss(-right, targets.heat) > 10
    assert edges_loss(raw, named, targets) < 0.05
    assert edges_loss(raw + 3, named, targets) > 0.3
    assert torch.isclose(targets.weights.sum(), torch.tensor(2.0))


def test_a_garment_has_its_place_before_a_larger_one_of_its_detail():
    boxes = np.array([[0, 0, 60, 60], [24, 24, 36, 36], [20, 20, 40, 40]], np.float32)
    top, bag = DETAILS.index("top"), DETAILS.index("bag")

    _, targets = encoded_boxes(boxes, np.array([top, top, bag]), size=(64, 64))

    large, small, other = targets.weights[0, :3]
    assert small[7, 7] > 0
    assert large[7, 7] == 0 < large[5, 5]
    assert torch.isclose(other.sum(), torch.tensor(1.0))
    assert targets.weights[0, 3:].sum() == 0
    assert targets.distances[0, 0, :, 7, 7].tolist() == [30, 30, 30, 30]
    assert targets.heat[0, top, 7, 7] == targets.heat[0, bag, 7, 7] == 1


def test_pixels_that_nobody_knows_cost_nothing():
    logits = torch.zeros(1, len(SEGMENTS), 2, 2)
    logits[0, 3] = 9
    known = torch.tensor([[[3, IGNORED], [IGNORED, 3]]])

    assert segments_loss(logits, known) < 0.01
    assert segments_loss(logits, torch.full((1, 2, 2), IGNORED)) == 0
