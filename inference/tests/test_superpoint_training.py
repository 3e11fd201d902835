"""SuperPoint learns by itself: shapes, then photos and their views."""

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from django.core.management import CommandError, call_command

from inference import specs
from inference.networks.superpoint import SuperPoint, choose
from inference.tests import goldens
from inference.tests.test_wizard import draw_print
from inference.tests.threads import one_thread  # noqa: F401
from inference.training.superpoint import homographies, shapes
from inference.training.superpoint.train import (
    Plan,
    compare,
    learn_shapes,
    mark,
    measure,
    train,
)


def make_dice(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def test_shapes_have_corners_where_something_ends():
    dice = make_dice()

    for _ in range(30):
        image, corners = shapes.draw(dice)
        assert image.shape == (120, 160)
        assert 0 <= image.min() <= image.max() <= 1
        assert ((corners >= 0) & (corners < (160, 120))).all()


def test_marks_the_place_in_its_cell():
    cells = mark(np.array([[9.2, 18.0], [500, 3]], np.float32), (24, 32))

    assert cells.shape == (3, 4)
    assert cells[2, 1] == 2 * 8 + 1
    assert (cells == 64).sum() == 11


def test_points_go_where_the_picture_goes():
    homography = homographies.draw(make_dice(4), width=160, height=120)
    image = np.zeros((120, 160), np.float32)
    image[60, 80] = 1

    [place] = homographies.move(np.array([[80, 60]], np.float32), homography)
    seen = homographies.view(image, homography)

    y, x = np.unravel_index(seen.argmax(), seen.shape)
    assert place == pytest.approx((x, y), abs=1.5)


def test_descriptors_of_the_same_place_are_wanted_alike():
    torch.manual_seed(0)
    map_ = torch.nn.functional.normalize(torch.randn(256, 15, 20), dim=0)
    still = np.eye(3)

    same = compare(map_, map_, still, make_dice(), pairs=64)
    other = compare(map_, map_.flip(1), still, make_dice(), pairs=64)

    assert same < other


def test_learns_corners_of_shapes():
    torch.manual_seed(0)
    network, dice = SuperPoint(), make_dice()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = learn_shapes(network, 2, dice)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    assert np.mean(losses[-3:]) < losses[0] - 0.2


def test_trains_from_photos_to_weights_in_the_store(tmp_path, capsys):
    pictures = [cv2.imencode(".png", draw_print(i))[1].tobytes() for i in range(3)]
    path = tmp_path / "photos.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"image": pictures}), path)

    call_command(
        "train_superpoint", path, shape_steps=1, photo_steps=1, batch=2, store=tmp_path / "models"
    )

    spec = specs.find("superpoint", store=tmp_path / "models")
    assert spec.architecture == "superpoint"
    assert 0 <= spec.metrics.get("repeatability", 0) <= 1
    assert "superpoint@1 is in" in capsys.readouterr().out


def test_says_what_is_missing(tmp_path):
    path = tmp_path / "photos.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"picture": [b"x"]}), path)

    with pytest.raises(CommandError, match=r"photos.parquet"):
        call_command("train_superpoint", path, store=tmp_path / "models")
    with pytest.raises(ValueError, match="Two photos"):
        train([], plan=Plan(), say=print)


def test_measures_the_same_each_time():
    torch.manual_seed(1)
    network = SuperPoint().eval()
    photos = [shapes.draw(make_dice(5))[0]]

    assert measure(network, photos, seed=0) == measure(network, photos, seed=0)


@torch.inference_mode()
def test_a_view_that_is_the_photo_itself_repeats_everything(monkeypatch):
    monkeypatch.setattr(homographies, "draw", lambda dice, **size: np.eye(3))
    network = SuperPoint().eval()
    goldens.fill(network, gain=goldens.RULE_B)
    photo = shapes.draw(make_dice(6))[0]

    quality = measure(network, [photo], seed=0)

    assert len(choose(network(torch.from_numpy(photo)[None, None]), 0).places)
    assert (quality.repeatability, quality.matched) == (1, 1)
