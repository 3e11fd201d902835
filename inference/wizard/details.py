"""Fashion Wizard's two pipelines: a garment's key points, and which garments share them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from inference.networks.superpoint import CELL, SuperPoint, choose
from inference.preprocess import Pixels
from inference.wizard.parts import Region
from inference.wizard.votes import LEAST, NEIGHBOURS, Vectors, count_votes

Metric = Literal["cosine", "l2"]

MOST = 300
"""Key points of a garment."""
_LISTS = 64
_SEARCHED = 8


@dataclass(frozen=True, slots=True)
class Details:
    places: NDArray[np.float32]
    """(K, 2): x, y in the photo's pixels."""
    vectors: Vectors
    """(K, 256), of length 1."""


@torch.inference_mode()
def extract(
    network: SuperPoint,
    image: Pixels,
    *,
    region: Region | None = None,
    threshold: float = 0.005,
    most: int = MOST,
) -> Details:
    """The surest key points of a uint8 (H, W, 3) RGB photo, inside the region if there is one."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    height, width = (-(-side // CELL) * CELL for side in grey.shape)
    padded = cv2.copyMakeBorder(
        grey, 0, height - grey.shape[0], 0, width - grey.shape[1], cv2.BORDER_REPLICATE
    )
    inside = np.zeros(padded.shape, np.bool_)
    inside[: grey.shape[0], : grey.shape[1]] = True if region is None else region
    points = choose(
        network(torch.from_numpy(padded)[None, None]),
        0,
        threshold=threshold,
        most=most,
        region=torch.from_numpy(inside),
    )
    return Details(points.places.numpy(), points.descriptors.numpy())


class DetailIndex:
    """The details of many garments; a garment that has the query's details gets their votes."""

    def __init__(
        self,
        garments: Mapping[str, Vectors],
        *,
        metric: Metric = "cosine",
        lists_from: int | None = None,
    ) -> None:
        """Lists by k-means from that many details on; by itself where they can be learnt."""
        self._names = [name for name, vectors in garments.items() for _ in vectors]
        size = next((v.shape[1] for v in garments.values() if len(v)), 256)
        self._metric = metric
        flat = faiss.IndexFlatIP(size) if metric == "cosine" else faiss.IndexFlatL2(size)
        self._index: faiss.Index = flat
        if len(self._names) >= (40 * _LISTS if lists_from is None else lists_from):
            kind = faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2
            lists = faiss.IndexIVFFlat(flat, size, _LISTS, kind)
            lists.nprobe = _SEARCHED
            self._index = lists
        if self._names:
            everything = np.concatenate([v for v in garments.values() if len(v)])
            if not self._index.is_trained:
                self._index.train(everything)
            self._index.add(everything)

    def vote(
        self, query: Vectors, *, neighbours: int = NEIGHBOURS, least: float = LEAST
    ) -> list[tuple[str, float]]:
        """Garments with the share of the query's details that they have, most first."""
        if not len(query) or not self._names:
            return []
        count = min(neighbours, len(self._names))
        found, places = self._index.search(np.ascontiguousarray(query, np.float32), count)
        cosines = found if self._metric == "cosine" else 1 - found / 2
        return count_votes(cosines, places, self._names, least=least)
