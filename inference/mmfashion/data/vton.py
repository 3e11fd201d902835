"""VITON's photos as CP-VTON sees them: a person without the garment, and a cloth."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from inference.mmfashion.data.lists import BadData, read_lines

WIDTH, HEIGHT = 192, 256
RADIUS = 5
JOINTS = 18
HEAD, CLOTH = (1, 2, 4, 13), (5, 6, 7)
"""Numbers of the parts in image-parse/."""


@dataclass(frozen=True, slots=True)
class TryOnSample:
    """Pictures are float32 in -1..1."""

    person: Tensor
    """(22, 256, 192): the body's coarse shape, the head, eighteen joints. Around the head it is
    -1, which is black: the weights were trained so, though the original's comment says 0."""
    cloth: Tensor
    """(3, 256, 192)."""
    mask: Tensor
    """(1, 256, 192): 1 where the cloth is, else 0."""
    worn: Tensor
    """(3, 256, 192): the cloth on the person, on white."""
    picture: Tensor
    """(3, 256, 192)."""


def read_try_on_pairs(folder: Path, name: str) -> list[tuple[str, str]]:
    """Person and cloth. Raises BadData."""
    pairs = []
    for number, line in enumerate(read_lines(folder / name), 1):
        columns = line.split()
        if len(columns) != 2:
            raise BadData(f"{name}, line {number}: a person and a cloth are needed.")
        pairs.append((columns[0], columns[1]))
    return pairs


def read_try_on(folder: Path, person: str, cloth: str, *, warped: bool = False) -> TryOnSample:
    """`warped`: the cloth as the first stage bent it. Raises BadData."""
    source = ("warp-cloth", "warp-mask") if warped else ("cloth", "cloth-mask")
    parts = _read(folder / "image-parse" / f"{Path(person).stem}.png")
    picture = _scale(_read(folder / "image" / person, colour=True))
    head = torch.from_numpy(np.isin(parts, HEAD).astype(np.float32))
    on = torch.from_numpy(np.isin(parts, CLOTH).astype(np.float32))
    joints = _read_joints(folder / "pose" / f"{Path(person).stem}_keypoints.json")
    return TryOnSample(
        person=torch.cat((_blur(parts > 0), picture * head - (1 - head), _draw(joints))),
        cloth=_scale(_read(folder / source[0] / cloth, colour=True)),
        mask=torch.from_numpy((_read(folder / source[1] / cloth) > 128).astype(np.float32))[None],
        worn=picture * on + (1 - on),
        picture=picture,
    )


def _blur(body: NDArray[np.bool_]) -> Tensor:
    """(1, 256, 192): sixteen times smaller and back, so that the old garment's outline is gone."""
    shape = Image.fromarray((body * 255).astype(np.uint8))
    small = shape.resize((WIDTH // 16, HEIGHT // 16), Image.Resampling.BILINEAR)
    return _scale(np.asarray(small.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)))


def _draw(joints: NDArray[np.float64]) -> Tensor:
    """(18, 256, 192): a square at each joint that was found."""
    maps = []
    for x, y in joints:
        one = Image.new("L", (WIDTH, HEIGHT))
        if x > 1 and y > 1:
            edges = (x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS)
            ImageDraw.Draw(one).rectangle(edges, "white", "white")
        maps.append(_scale(np.asarray(one)))
    return torch.cat(maps)


def _scale(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 (H, W) or (H, W, 3) → float32 (1 or 3, H, W) in -1..1."""
    deep = pixels[:, :, None] if pixels.ndim == 2 else pixels
    scaled = torch.from_numpy(deep.transpose(2, 0, 1).copy()).float().div(255)
    return (scaled - 0.5) / 0.5


def _read(path: Path, *, colour: bool = False) -> NDArray[np.uint8]:
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as opened:
            if opened.size != (WIDTH, HEIGHT):
                raise BadData(f"{path.name} is {opened.size}, {WIDTH} x {HEIGHT} is needed.")
            # A palette's numbers are the parts, so they are not turned into colours.
            return np.asarray(opened.convert("RGB") if colour else opened)
    except FileNotFoundError as error:
        raise BadData(f"{path} is missing.") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise BadData(f"{path.name} is no photo.") from error


def _read_joints(path: Path) -> NDArray[np.float64]:
    try:
        people = json.loads(path.read_text())["people"]
        joints = np.array(people[0]["pose_keypoints"], float).reshape(JOINTS, 3)
    except FileNotFoundError as error:
        raise BadData(f"{path} is missing.") from error
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise BadData(f"{path.name} does not hold {JOINTS} joints of a person.") from error
    return joints[:, :2]
