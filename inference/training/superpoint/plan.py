"""How SuperPoint is trained: a TOML file."""

from dataclasses import dataclass
from pathlib import Path

from inference.networks.superpoint import CELL
from inference.training import plans
from inference.training.plans import BadPlan
from inference.training.superpoint.shapes import HEIGHT


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
    plan = plans.read(path, Plan)
    if not plan.photos:
        raise BadPlan(f"{path.name}: photos is missing, the files that are learnt from.")
    if min(plan.limit, plan.shape_steps, plan.photo_steps, plan.batch) < 1:
        raise BadPlan(f"{path.name}: limit, steps and batch have to be positive.")
    if plan.side % CELL or not CELL < plan.side <= HEIGHT:
        raise BadPlan(f"{path.name}: side has to be a multiple of {CELL} up to {HEIGHT}.")
    return plan
