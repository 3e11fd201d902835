"""Whole picture and landmarks together."""

from typing import cast

import torch
from torch import Tensor, nn


class Fusion(nn.Module):
    """(N, a) and (N, b) → (N, out), linear.

    Without landmarks the first is given back as it is, past the layer: MMFashion's retrievers
    answer so, and their weights have learnt both.
    """

    def __init__(self, *, size: int, out: int) -> None:
        super().__init__()
        self.fc_fusion = nn.Linear(size, out)

    def forward(self, whole: Tensor, local: Tensor | None) -> Tensor:
        if local is None:
            return whole
        return cast(Tensor, self.fc_fusion(torch.cat((whole, local), dim=1)))
