"""SuperPoint learns by itself: shapes, then photos and their views."""

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from django.core.management import CommandError, call_command

from inference import registry, specs
from inference.networks.superpoint import SuperPoint, choose
from inference.tests import goldens
from inference.tests.test_wizard import draw_print
from inference.tests.threads import one_thread  # noqa: F401
from inference.training.plans import BadPlan
from inference.training.superpoint import homographies, shapes
from inference.training.superpoint import train as train_module
from inference.training.superpoint.plan import Plan, read
from inference.training.superpoint.train import (
    compare,
    find_points,
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
        loss = learn_shapes(network, 2, dice, side=96)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    assert np.mean(losses[-3:]) < losses[0] - 0.2


PLAN = """
name = "corners"
photos = ["photos.parquet"]
shape_steps = 1
photo_steps = 2
batch = 2
views = 1
side = 48
"""


@pytest.fixture
def data(tmp_path):
    pictures = [cv2.imencode(".png", draw_print(i))[1].tobytes() for i in range(3)]
    pyarrow.parquet.write_table(pyarrow.table({"image": pictures}), tmp_path / "photos.parquet")
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


def call(data, **options):
    options = {"out": data / "run", "store": data / "models", **options}
    call_command("train_superpoint", data / "plan.toml", data, **options)


def test_trains_from_photos_to_weights_in_the_store(data, capsys):
    call(data)

    spec = specs.find("corners", store=data / "models")
    assert spec.architecture == "superpoint"
    assert 0 <= spec.metrics.get("repeatability", 0) <= 1
    assert "corners@1 is in" in capsys.readouterr().out
    registry.build_points(spec)


def test_goes_on_where_it_was_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "_SAVE_STEPS", 1)
    photos = [shapes.crop(*shapes.draw(make_dice(i)), make_dice(i), side=48)[0] for i in range(3)]
    plan = Plan(side=48, shape_steps=1, photo_steps=2, batch=2, views=1)
    whole, _ = train(photos, plan=plan, out=tmp_path / "a", resume=False, say=lambda _: None)

    def cut_off(line):
        if line.startswith("photos 1/2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        # It is said before it is saved: the step is done again.
        train(photos, plan=plan, out=tmp_path / "b", resume=False, say=cut_off)
    again, _ = train(photos, plan=plan, out=tmp_path / "b", resume=True, say=lambda _: None)

    for one, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_refuses_a_damaged_checkpoint_and_that_of_another_plan(data):
    call(data)

    (data / "plan.toml").write_text(PLAN + "seed = 7")
    with pytest.raises(CommandError, match="of another plan"):
        call(data, resume=True)
    (data / "run/checkpoint.pt").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(CommandError, match="damaged"):
        call(data, resume=True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("photos = [", "cannot be read"),
        ("side = 96", "photos is missing"),
        ('photos = ["a"]\nwings = 2', "wings is not known"),
        ('photos = ["a"]\nbatch = "many"', "batch cannot be 'many'"),
        ('photos = ["a"]\nside = 97', "multiple of 8"),
        ('photos = ["a"]\nbatch = 0', "positive"),
    ],
)
def test_says_what_is_wrong_with_a_plan(text, complaint, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(text)

    with pytest.raises(BadPlan, match=complaint):
        read(path)


def test_says_what_is_missing(data):
    pyarrow.parquet.write_table(pyarrow.table({"picture": [b"x"]}), data / "photos.parquet")
    with pytest.raises(CommandError, match=r"photos.parquet has no photos"):
        call(data)
    (data / "photos.parquet").unlink()
    with pytest.raises(CommandError, match=r"photos.parquet"):
        call(data)
    with pytest.raises(BadPlan, match="Two photos"):
        train([], plan=Plan(), out=data, resume=False, say=print)


def test_learns_the_surest_points_only():
    network = SuperPoint().eval()
    goldens.fill(network, gain=goldens.RULE_B)
    photo = shapes.draw(make_dice(6))[0]

    points = find_points(network, photo, make_dice(), Plan(views=1, threshold=0.0, most=5))

    assert points.shape == (5, 2)


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
