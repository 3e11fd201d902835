from collections import Counter
from dataclasses import replace

import numpy as np

from inference.training.augment import View, augment, find_on_white
from inference.training.config import Changes

GROUND = np.full((30, 30, 3), 90, np.uint8)
CHANGES = Changes(
    whole=0.1, ground=0.2, turn=0.3, detail=0.2, light=0.3, strong_light=0.2, erase=0.1
)
NONE = Changes(whole=1, ground=0, turn=0, detail=0, light=0, strong_light=0, erase=0)


def make_photo() -> np.ndarray:
    """Something red on white."""
    photo = np.full((80, 60, 3), 255, np.uint8)
    photo[15:65, 15:45] = (200, 30, 40)
    return photo


def see(changes: Changes, seed: int, photo: np.ndarray | None = None) -> list[View]:
    rng = np.random.default_rng(seed)
    return [
        augment(
            make_photo() if photo is None else photo,
            size=(48, 36),
            changes=changes,
            backgrounds=[GROUND],
            rng=rng,
            again=index % 2 == 1 and photo is None,
        )
        for index in range(40)
    ]


def differences(one: list[View], other: list[View]) -> int:
    return sum((a.pixels != b.pixels).any() for a, b in zip(one, other, strict=True))


def test_gives_the_asked_size_and_the_same_for_the_same_seed():
    views = see(CHANGES, 1)

    assert all(v.pixels.shape == (48, 36, 3) and v.pixels.dtype == np.uint8 for v in views)
    assert differences(views, see(CHANGES, 1)) == 0
    assert differences(views, see(CHANGES, 2)) > 0
    assert {view.true_colours for view in views} == {True, False}


def test_lays_photos_on_either_side():
    half_dark = np.full((60, 60, 3), 255, np.uint8)
    half_dark[:30] = 0

    def tell_dark_side(view: View) -> str:
        dark = view.pixels[:, :, 0] < 128
        middle = dark[16:32, 10:26]
        sides = {"top": middle[:8], "bottom": middle[8:], "left": middle[:, :8]}
        return next((name for name, part in sides.items() if part.all()), "right")

    upright = Counter(map(tell_dark_side, see(NONE, 1, half_dark)))
    lying = Counter(map(tell_dark_side, see(replace(NONE, quarter=1), 1, half_dark)))

    assert set(upright) == {"top"}
    assert set(lying) == {"left", "right"}


def test_turns_and_cuts_as_much_as_it_may():
    rows, columns = np.mgrid[:80, :60]
    photo = np.stack([2 * rows, 2 * columns, 0 * rows + 100], axis=2).astype(np.uint8)

    def spread(**changed: float) -> float:
        views = see(replace(NONE, **changed), 1, photo)
        return float(np.std([view.pixels[0, 0, 0] for view in views]))

    assert spread(turn=1, angle=0) < spread(turn=1) < spread(turn=1, angle=40)
    assert spread(whole=0, near=0) == 0 < spread(whole=0) < spread(whole=0, near=0.4)


def test_finds_the_garment_on_white_only():
    image = np.full((40, 40, 3), 255, np.uint8)
    image[10:30, 10:30] = 0

    mask = find_on_white(image)

    assert mask is not None
    assert (mask > 0).sum() == 400
    assert find_on_white(np.full((40, 40, 3), 120, np.uint8)) is None
