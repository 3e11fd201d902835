"""Whether one evaluation is better than another on the same photos."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.training.evaluation.packing import unpack
from inference.training.measure import Doubles, spread


class NotComparable(ValueError):
    """The two evaluations share no photos and numbers."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one number over the photos that both evaluations counted."""

    file: str
    way: str
    key: str
    before: float
    after: float
    low: float
    high: float
    """The middle 95 % of the difference over redraws of the photos."""
    count: int
    lost: int
    won: int
    """Photos on which it became worse or better."""
    chance: float
    """That so uneven a split of the changed photos comes by chance: McNemar's exact test, which
    for scores that are not 0 or 1 is the sign test."""

    @property
    def change(self) -> float:
        return self.after - self.before


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Two evaluations as read from their JSON files. Raises NotComparable."""
    old = {(f["name"], way): f["ways"][way] for f in before["files"] for way in f["ways"]}
    found = []
    for file in after["files"]:
        for way, result in file["ways"].items():
            if (file["name"], way) in old:
                found += _compare_way(file["name"], way, old[file["name"], way], result)
    if not found:
        raise NotComparable("The two evaluations share no photos and numbers.")
    return found


def say_difference(difference: Difference) -> str:
    d = difference
    return (
        f"{d.file} {d.way:7} {d.key:48} {d.before:.4f} → {d.after:.4f} "
        f"{d.change:+.4f} [{d.low:+.4f}, {d.high:+.4f}] of {d.count}, "
        f"{d.won} better, {d.lost} worse, p = {d.chance:.2g}"
    )


def _compare_way(
    file: str, way: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Difference]:
    place = {photo: index for index, photo in enumerate(before["photos"]["ids"])}
    ids = after["photos"]["ids"]
    both = [index for index, photo in enumerate(ids) if photo in place]
    there = [place[ids[index]] for index in both]
    found = []
    for key, packed in after["photos"]["scores"].items():
        if key not in before["photos"]["scores"] or not both:
            continue
        new = unpack(packed)[both]
        old = unpack(before["photos"]["scores"][key])[there]
        counted = ~(np.isnan(new) | np.isnan(old))
        if counted.any():
            found.append(_differ(file, way, key, old[counted], new[counted]))
    return found


def _differ(file: str, way: str, key: str, old: Doubles, new: Doubles) -> Difference:
    change = new - old
    low, high = spread(len(change), lambda drawn: float(change[drawn].mean()))
    lost, won = int((change < 0).sum()), int((change > 0).sum())
    return Difference(
        file=file,
        way=way,
        key=key,
        before=float(old.mean()),
        after=float(new.mean()),
        low=low,
        high=high,
        count=len(change),
        lost=lost,
        won=won,
        chance=sign_test(lost, won),
    )


def sign_test(lost: int, won: int) -> float:
    """The two-sided chance of a split at least so uneven if both were as likely (McNemar 1947)."""
    total, fewer = lost + won, min(lost, won)
    tail = sum(math.comb(total, k) for k in range(fewer + 1))
    # Whole numbers first: 2**total overflows a float long before the ratio underflows.
    return min(1.0, 2 * tail / 2**total) if total else 1.0
