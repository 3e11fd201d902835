"""Trained networks whose common answer another one learns beside the labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from inference.registry import prepare
from inference.training.evaluation.model import read_network
from inference.training.losses import likeness


@dataclass(frozen=True, slots=True)
class Taught:
    """What the teachers answer on average about N views; every row of answers sums to 1."""

    category: Tensor
    """(N, L)."""
    colour: Tensor
    """(N, F)."""
    attributes: tuple[Tensor, ...]
    """Of each key (N, values)."""
    alike: Tensor
    """(N, N), as `losses.likeness` gives it."""


class Teachers:
    """Networks of any widths that answer today's taxonomy; none at all is possible too."""

    def __init__(
        self,
        files: Sequence[Path],
        *,
        keys: tuple[int, ...],
        scale: float,
        device: torch.device,
    ) -> None:
        """`keys` are the numbers of the attribute keys' values. Raises BadWeights."""
        self._keys = list(keys)
        self._scale = scale
        self._networks = [
            prepare(read_network(file, size=(0, 0))[0], device=device) for file in files
        ]

    def __bool__(self) -> bool:
        return bool(self._networks)

    @torch.no_grad()
    def answer(self, images: Tensor) -> Taught:
        """`images` as a GarmentNet reads them."""
        answers = [network(images) for network in self._networks]
        attributes = [answer.attributes.split_with_sizes(self._keys, dim=1) for answer in answers]
        return Taught(
            category=_agree([answer.category for answer in answers]),
            colour=_agree([answer.colour for answer in answers]),
            attributes=tuple(_agree(list(of_key)) for of_key in zip(*attributes, strict=True)),
            alike=torch.stack(
                [likeness(answer.embedding.float(), scale=self._scale) for answer in answers]
            ).mean(dim=0),
        )


def _agree(logits: Sequence[Tensor]) -> Tensor:
    return torch.stack([functional.softmax(each.float(), dim=1) for each in logits]).mean(dim=0)
