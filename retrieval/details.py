"""Similar products told apart by their details: which photos share the garment's key points.

Of the most similar by their vectors those come first that have the same details: an order only,
which nothing enters or leaves by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from inference.contract import DETAIL_SIZE, GarmentDetails
from inference.wizard.votes import vote
from retrieval.models import PhotoDetails

POOL = 60
"""Products that are put in order."""
WEIGHT = 0.5
"""What all details shared add to a cosine; as measured by `benchmarks.details`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A garment's details, of that model."""

    model: str
    vectors: bytes
    region: str = ""
    """What told the garment from its ground: parts or foreground; empty for kept details."""

    @classmethod
    def of(cls, found: GarmentDetails) -> "Asked":
        return cls(found.model, found.vectors, found.region)


def share(*, tenant_id: UUID, asked: Asked, photos: Sequence[UUID]) -> dict[UUID, float]:
    """Photo → the share (0 to 1) of the asked details that it has; one query.

    Photos whose details are not known yet, or of another model, are left out.
    """
    kept = PhotoDetails.objects.filter(tenant_id=tenant_id, photo__in=photos, model=asked.model)
    known = {id_: unpack(bytes(data)) for id_, data in kept.values_list("photo_id", "vectors")}
    votes = dict(vote(unpack(asked.vectors), known))
    return {photo: round(votes.get(photo, 0.0), 4) for photo in known}


def order(
    similarities: Mapping[UUID, float], shares: Mapping[UUID, float]
) -> list[tuple[UUID, float]]:
    """Photos with their cosines, those first that are most alike with their details counted in."""
    return sorted(
        similarities.items(), key=lambda each: -(each[1] + WEIGHT * shares.get(each[0], 0.0))
    )


def unpack(data: bytes) -> NDArray[np.float32]:
    """(K, 256), of length 1."""
    rows = np.frombuffer(data, np.int8).reshape(-1, DETAIL_SIZE).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-9), dtype=np.float32)
