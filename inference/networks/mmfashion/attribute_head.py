"""Which attributes a garment has."""

from typing import cast

from torch import Tensor, nn


class AttributeHead(nn.Module):
    """(N, size) → (N, attributes) logits, each attribute by itself."""

    def __init__(self, *, size: int, attributes: int) -> None:
        super().__init__()
        self.linear_attr = nn.Linear(size, attributes)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.linear_attr(features))
