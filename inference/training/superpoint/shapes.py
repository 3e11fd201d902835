"""Drawn shapes whose corners are known, after DeTone et al., SuperPoint (2018)."""

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
"""(H, W), 0..1."""
Corners = NDArray[np.float32]
"""(K, 2): x, y."""

HEIGHT, WIDTH = 120, 160


def draw(dice: np.random.Generator) -> tuple[Grey, Corners]:
    """Shapes on an uneven ground, blurred and noisy; ellipses have no corners at all."""
    image = _draw_ground(dice)
    kinds = (_draw_polygon, _draw_lines, _draw_star, _draw_checkers, _draw_ellipse)
    count = int(dice.integers(1, 4))
    corners = [kinds[dice.integers(len(kinds))](image, dice) for _ in range(count)]
    found = np.concatenate(corners).astype(np.float32)
    blurred = cv2.GaussianBlur(image, (0, 0), float(dice.uniform(0.3, 1.2)))
    noise = dice.normal(0, dice.uniform(0, 0.04), image.shape)
    inside = (found >= 2).all(1) & (found[:, 0] < WIDTH - 2) & (found[:, 1] < HEIGHT - 2)
    return np.asarray((blurred + noise).clip(0, 1), dtype=np.float32), found[inside]


def crop(
    image: Grey, corners: Corners, dice: np.random.Generator, *, side: int
) -> tuple[Grey, Corners]:
    """A square of the picture, anywhere in it."""
    left, top = dice.integers(0, (WIDTH - side + 1, HEIGHT - side + 1))
    moved = corners - np.array((left, top), np.float32)
    inside = ((moved >= 0) & (moved < side)).all(1)
    return image[top : top + side, left : left + side], moved[inside]


def _draw_ground(dice: np.random.Generator) -> Grey:
    coarse = dice.random((4, 5)).astype(np.float32)
    ground = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(dice.random() * 0.7 + 0.3 * ground, dtype=np.float32)


def _choose_shade(image: Grey, dice: np.random.Generator) -> float:
    """Unlike the ground, so that there is something to see."""
    shade = float(dice.random())
    return shade if abs(shade - float(image.mean())) > 0.2 else 1 - float(image.mean()) / 2


def _place(dice: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    centre = dice.uniform((25, 25), (WIDTH - 25, HEIGHT - 25))
    return centre, float(dice.uniform(12, 40))


def _draw_polygon(image: Grey, dice: np.random.Generator) -> Corners:
    centre, radius = _place(dice)
    count = int(dice.integers(3, 7))
    turns = np.sort(dice.uniform(0, 2 * np.pi, count))
    if (np.diff(turns) < 0.5).any():
        turns = np.arange(count) * 2 * np.pi / count + dice.random()
    points = centre + radius * np.stack((np.cos(turns), np.sin(turns)), axis=1)
    cv2.fillPoly(image, [points.round().astype(np.int32)], _choose_shade(image, dice))
    return points.round().astype(np.float32)


def _draw_lines(image: Grey, dice: np.random.Generator) -> Corners:
    ends = dice.uniform((5, 5), (WIDTH - 5, HEIGHT - 5), (2 * int(dice.integers(1, 4)), 2)).round()
    for one, other in zip(ends[::2], ends[1::2], strict=True):
        thick = int(dice.integers(1, 4))
        points = one.astype(int).tolist(), other.astype(int).tolist()
        cv2.line(image, points[0], points[1], _choose_shade(image, dice), thick)
    return ends.astype(np.float32)


def _draw_star(image: Grey, dice: np.random.Generator) -> Corners:
    centre, radius = _place(dice)
    count = int(dice.integers(3, 6))
    turns = np.arange(count) * 2 * np.pi / count + dice.random()
    ends = (centre + radius * np.stack((np.cos(turns), np.sin(turns)), axis=1)).round()
    shade = _choose_shade(image, dice)
    for end in ends:
        cv2.line(image, centre.astype(int).tolist(), end.astype(int).tolist(), shade, 2)
    return np.concatenate((ends, centre[None].round())).astype(np.float32)


def _draw_checkers(image: Grey, dice: np.random.Generator) -> Corners:
    """Seen at an angle."""
    rows, columns = dice.integers(2, 5, 2)
    side = float(dice.uniform(9, 16))
    grid = np.stack(np.meshgrid(np.arange(columns + 1), np.arange(rows + 1)), axis=2).reshape(
        -1, 2
    ) * np.float64(side)
    turn = dice.uniform(-0.5, 0.5)
    lean = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    lean[0, 1] += dice.uniform(-0.3, 0.3)
    start = dice.uniform((10, 10), (WIDTH / 2, HEIGHT / 2))
    points = (grid @ lean.T + start).round().reshape(rows + 1, columns + 1, 2)
    shades = _choose_shade(image, dice), float(dice.random())
    for row in range(rows):
        for column in range(columns):
            square = points[row : row + 2, column : column + 2].reshape(4, 2)[[0, 1, 3, 2]]
            cv2.fillPoly(image, [square.astype(np.int32)], shades[(row + column) % 2])
    return np.asarray(points.reshape(-1, 2), dtype=np.float32)


def _draw_ellipse(image: Grey, dice: np.random.Generator) -> Corners:
    centre, radius = _place(dice)
    axes = [int(radius), int(radius * dice.uniform(0.4, 1))]
    turn = float(dice.uniform(0, 180))
    shade = _choose_shade(image, dice)
    cv2.ellipse(image, centre.astype(int).tolist(), axes, turn, 0, 360, shade, -1)
    return np.zeros((0, 2), np.float32)
