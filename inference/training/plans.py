"""A training's plan, a TOML file, and its checkpoints, from which it goes on."""

import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Plan = TypeVar("Plan", bound="DataclassInstance")


class BadPlan(ValueError):
    """The training cannot be done; the message says why."""


def read(path: Path, kind: type[Plan]) -> Plan:
    """Raises BadPlan, also for a value of another type than the field's."""
    try:
        raw = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadPlan(f"{path.name} cannot be read: {error}") from error
    known = {field.name: field.default for field in fields(kind)}
    if unknown := raw.keys() - known.keys():
        raise BadPlan(f"{path.name}: {', '.join(sorted(unknown))} is not known.")
    for name, value in raw.items():
        usual = known[name]
        if isinstance(usual, tuple) and isinstance(value, list):
            raw[name] = tuple(value)
            continue
        wanted = (int, float) if isinstance(usual, float) else type(usual)
        if usual is not MISSING and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise BadPlan(f"{path.name}: {name} cannot be {value!r}.")
    return kind(**raw)


def load_checkpoint(path: Path, plan: object) -> dict[str, Any] | None:
    """None where there is none. Raises BadPlan where it is damaged or of another plan."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        of = state["plan"]
    # A damaged file fails in torch's reader in many ways.
    except Exception as error:
        raise BadPlan(f"{path} is no checkpoint, or damaged.") from error
    if of != repr(plan):
        raise BadPlan(f"{path} is the checkpoint of another plan.")
    return state


def save_checkpoint(path: Path, plan: object, state: dict[str, Any]) -> None:
    """All of it or nothing."""
    partial = path.with_suffix(".partial")
    torch.save({"plan": repr(plan), **state}, partial)
    partial.replace(path)
