"""The vector by which a garment is found again."""

from typing import cast

from torch import Tensor, nn


class EmbedExtractor(nn.Module):
    """(N, size) → (N, out), not normalised: compare by the cosine.

    `id_linear` answers which of the training's items it is and is used in training only. `bn`
    is never called, by MMFashion neither: it is here because the weights hold it.
    """

    def __init__(self, *, size: int, out: int, items: int) -> None:
        super().__init__()
        self.embed_linear = nn.Linear(size, out)
        self.bn = nn.BatchNorm1d(out)
        self.id_linear = nn.Linear(out, items)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.embed_linear(features))
