"""The text encoder of kalas-mini: words in, a vector in the photos' embedding space out.

Trained together with the photos by contrast (Radford et al. 2021). A bag of hashed words, pairs
and letter groups with two layers on it: search texts are a few words whose order says little.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.networks.garment_net import EMBEDDING_SIZE
from inference.words import BUCKETS, encode_words

_TABLE_WIDTH = 128
_HIDDEN = 512


class TextNet(nn.Module):
    """(ids (N, T), weights (N, T)) as `encode_words` gives them → (N, 256), L2-normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(BUCKETS, _TABLE_WIDTH, padding_idx=0)
        self.norm = nn.LayerNorm(_TABLE_WIDTH)
        self.grow = nn.Linear(_TABLE_WIDTH, _HIDDEN)
        self.shrink = nn.Linear(_HIDDEN, EMBEDDING_SIZE)
        nn.init.normal_(self.table.weight, std=0.1)
        with torch.no_grad():
            self.table.weight[0].zero_()

    def forward(self, ids: Tensor, weights: Tensor) -> Tensor:
        # Row 0, which fills the shorter texts up, comes with weight 0.
        bag = functional.embedding_bag(
            ids, self.table.weight, mode="sum", per_sample_weights=weights
        )
        hidden = functional.gelu(self.grow(self.norm(bag)))
        return functional.normalize(cast(Tensor, self.shrink(hidden)), dim=1)

    def encode(self, texts: list[str]) -> Tensor:
        """float32 (N, 256) on the network's device."""
        ids, weights = encode_words(texts)
        device = self.table.weight.device
        return cast(
            Tensor, self(torch.from_numpy(ids).to(device), torch.from_numpy(weights).to(device))
        )
