import math

import numpy as np
import pytest

from inference.training.ranking import (
    change_photo,
    group,
    hits_at,
    others,
    precisions,
    rank,
    reachable_precisions,
    reciprocal_ranks,
)

# Directions at 0, 10, 20, 90 and 100 degrees.
GALLERY = np.array(
    [[math.cos(a), math.sin(a)] for a in np.radians([0, 10, 20, 90, 100])], np.float32
)


def test_ranks_by_likeness():
    found = rank(GALLERY[[0, 3]], GALLERY, depth=3)

    assert found.tolist() == [[0, 1, 2], [3, 4, 2]]


def test_leaves_the_asking_photo_out():
    found = rank(GALLERY, GALLERY, depth=2, exclude=np.arange(5))

    assert found.tolist() == [[1, 2], [0, 2], [1, 0], [4, 2], [3, 2]]


def test_finds_no_more_than_there_is():
    assert rank(GALLERY, GALLERY, depth=10, exclude=np.arange(5)).shape == (5, 4)


def test_counts_hits_and_places():
    found = np.array([[7, 3, 5], [1, 2, 4]])
    relevant = [frozenset({5, 9}), frozenset({8})]

    assert hits_at(found, relevant).tolist() == [1, 0]
    assert hits_at(found[:, :2], relevant).tolist() == [0, 0]
    assert reciprocal_ranks(found, relevant).tolist() == [pytest.approx(1 / 3), 0]


def test_measures_precision_within_groups():
    groups = group(["red", "red", "blue", "blue", "blue"])
    found = rank(GALLERY, GALLERY, depth=2, exclude=np.arange(5))

    assert others(groups).tolist() == [1, 1, 2, 2, 2]
    assert precisions(found, groups).tolist() == [0.5, 0.5, 0, 1, 1]
    # The red ones have one other each, so one hit is all there is to find.
    assert reachable_precisions(found, groups).tolist() == [1, 1, 0, 1, 1]


def test_leaves_a_photo_without_any_alike_out():
    groups = group(["red", "blue", "blue"])
    found = np.array([[1], [2], [1]])

    assert np.isnan(reachable_precisions(found, groups)[0])


def test_changes_a_photo_reproducibly():
    image = np.zeros((80, 60, 3), np.uint8)
    image[:, :30] = 200

    changed = change_photo(image, np.random.default_rng(3))

    assert (changed == change_photo(image, np.random.default_rng(3))).all()
    assert 64 <= changed.shape[0] <= 76
    assert 48 <= changed.shape[1] <= 57
    # Mirrored: what was bright on the left is on the right.
    assert changed[:, -1].mean() > changed[:, 0].mean()
