"""How SuperPoint is trained: a TOML file."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from inference.networks.superpoint import CELL
from inference.training.superpoint.shapes import HEIGHT


class BadPlan(ValueError):
    """The training cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    name: str = "superpoint"
    """What the weights are called in the store."""
    photos: tuple[str, ...] = ()
    """Parquet files with a column `image`."""
    licence: str = "that of the photos"
    limit: int = 1000
    """Photos of each file, at most."""
    side: int = 96
    """Pixels of the squares that are learnt from."""
    shape_steps: int = 6000
    photo_steps: int = 6000
    batch: int = 16
    rate: float = 1e-3
    views: int = 20
    """Of each photo, for its points."""
    pairs: int = 128
    """Places of a photo whose descriptors are compared."""
    threshold: float = 0.015
    """From which a photo's place is a point to be learnt."""
    most: int = 60
    """Points of a photo that are learnt; the surest."""
    seed: int = 0


def read(path: Path) -> Plan:
    """Raises BadPlan."""
    try:
        raw = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadPlan(f"{path.name} cannot be read: {error}") from error
    if unknown := raw.keys() - {field.name for field in fields(Plan)}:
        raise BadPlan(f"{path.name}: {', '.join(sorted(unknown))} is not known.")
    raw["photos"] = tuple(raw.get("photos", ()))
    if not raw["photos"]:
        raise BadPlan(f"{path.name}: photos is missing, the files that are learnt from.")
    plan = Plan(**raw)
    for field in fields(Plan):
        value, usual = getattr(plan, field.name), field.default
        wanted = (int, float) if isinstance(usual, float) else type(usual)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise BadPlan(f"{path.name}: {field.name} cannot be {value!r}.")
    if min(plan.limit, plan.shape_steps, plan.photo_steps, plan.batch) < 1:
        raise BadPlan(f"{path.name}: limit, steps and batch have to be positive.")
    if plan.side % CELL or not CELL < plan.side <= HEIGHT:
        raise BadPlan(f"{path.name}: side has to be a multiple of {CELL} up to {HEIGHT}.")
    return plan
