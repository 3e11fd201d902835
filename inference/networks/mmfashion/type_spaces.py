"""Type-specific spaces: tops and shoes are compared elsewhere than tops and bags.

After Vasileva et al., Learning Type-Aware Embeddings for Fashion Compatibility (2018).
"""

from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

_TINY = 1e-10


class Masked(NamedTuple):
    """What training compares."""

    embeddings: Tensor
    """(N, size), each in its own pair's space."""
    mask_norm: Tensor
    """The L1 norm of the masks that were used."""
    embedding_norm: Tensor
    """The L2 norm of all general embeddings together."""


class TypeSpaces(nn.Module):
    """(N, size) → (N, spaces + 1, size); the last row is the general embedding itself.

    A space is a layer (`layers`) or a learned factor for each number of the embedding.
    `normalised`: rows of length 1, the last row excepted.
    """

    def __init__(self, *, spaces: int, size: int, layers: bool, normalised: bool) -> None:
        super().__init__()
        self.masks: nn.ModuleList | nn.Embedding
        if layers:
            self.masks = nn.ModuleList(nn.Linear(size, size) for _ in range(spaces))
        else:
            self.masks = nn.Embedding(spaces, size)
        self.size, self.normalised = size, normalised

    def forward(self, general: Tensor) -> Tensor:
        """Factors below zero count here and not in training: so MMFashion tests its weights."""
        if isinstance(self.masks, nn.Embedding):
            rows = general.unsqueeze(1) * self.masks.weight.unsqueeze(0)
        else:
            rows = torch.stack([mask(general) for mask in self.masks], dim=1)
        return torch.cat((self._normalise(rows), general.unsqueeze(1)), dim=1)

    def look_in(self, general: Tensor, space: int) -> Tensor:
        """(N, size) in one space, as `forward` gives it there; -1 is the general embedding."""
        if space < 0:
            return general
        if isinstance(self.masks, nn.Embedding):
            return self._normalise(general * self.masks.weight[space])
        return self._normalise(cast(Tensor, self.masks[space](general)))

    def train_in(self, general: Tensor, spaces: Iterable[int]) -> Masked:
        """Each of `general` in the space of that number."""
        if isinstance(self.masks, nn.Embedding):
            used = self.masks(torch.tensor(list(spaces), device=general.device)).relu()
            rows, mask_norm = general * used, used.norm(1)
        else:
            layers = [cast(nn.Linear, self.masks[space]) for space in spaces]
            rows = torch.cat([layers[i](general[i : i + 1]) for i in range(len(layers))])
            mask_norm = torch.stack([layer.weight.norm(1) for layer in layers]).sum()
        return Masked(self._normalise(rows), mask_norm, general.norm(2))

    def _normalise(self, rows: Tensor) -> Tensor:
        if not self.normalised:
            return rows
        return cast(Tensor, rows / (rows.norm(p=2, dim=-1, keepdim=True) + _TINY))
