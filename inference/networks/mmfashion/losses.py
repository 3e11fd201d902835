"""The losses that MMFashion trains with, by their exact definitions.

Where one was wrong, `as_written` gives the original's value; the default is what was meant.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from inference.networks.mmfashion.landmark_detector import Landmarks
from inference.networks.mmfashion.recommender import TypeAwareRecommender
from inference.networks.mmfashion.retriever import Retrieved


class Garments(NamedTuple):
    """N garments of outfits, as the recommender is trained with."""

    images: Tensor
    """(N, 3, 224, 224)."""
    texts: Tensor
    """(N, 6000): features of their descriptions."""
    has_text: Tensor
    """(N,): 1 where there is a description, else 0."""


def attribute_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean binary cross-entropy of (N, attributes)."""
    return functional.binary_cross_entropy_with_logits(logits, truth.float())


def class_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy; truth (N,) or (N, 1). MMFashion's raises IndexError for a batch of one."""
    return functional.cross_entropy(logits, truth.reshape(len(logits)))


def cosine_triplet_loss(anchor: Tensor, near: Tensor, far: Tensor, *, margin: float = 0) -> Tensor:
    """Near vectors shall point the same way, far ones at most `margin` (a cosine) that way."""
    same = torch.ones(len(anchor), device=anchor.device)
    return functional.cosine_embedding_loss(
        anchor, near, same, margin=margin
    ) + functional.cosine_embedding_loss(anchor, far, -same, margin=margin)


def distance_triplet_loss(anchor: Tensor, near: Tensor, far: Tensor, *, margin: float) -> Tensor:
    """The far one's squared distance shall exceed the near one's by `margin`."""
    gap = (anchor - near).square().sum(1) - (anchor - far).square().sum(1)
    return (gap + margin).relu().mean()


def ranking_loss(larger: Tensor, smaller: Tensor, *, margin: float, weight: float) -> Tensor:
    """`larger` shall exceed `smaller` by `margin`."""
    return weight * (margin - (larger - smaller)).relu().mean()


def selective_loss(
    smaller: Tensor, larger: Tensor, counts: Tensor, *, margin: float, weight: float
) -> Tensor:
    """As `ranking_loss`, over the pairs that count (1, else 0)."""
    gaps = (smaller - larger + margin).clamp(0, 1e6)
    return weight * (gaps * counts).sum() / counts.sum().clamp_min(1)


def landmark_losses(
    found: Landmarks, *, visible: Tensor, points: Tensor, as_written: bool = False
) -> dict[str, Tensor]:
    """visible (N, 8), points (N, 8, 2) in the picture's pixels.

    As written, the visibility goes through the sigmoid twice, and the regression's loss is one
    number for each coordinate, invisible ones included as 0. As meant: once, and the mean over
    what can be seen.
    """
    visible = visible.float()
    logits = found.visibility.sigmoid() if as_written else found.visibility
    seen = visible.unsqueeze(2)
    misses = (seen * found.points - seen * points.view_as(found.points)).square()
    if not as_written:
        misses = misses.sum() / (2 * visible.sum()).clamp_min(1)
    return {
        "loss_vis": functional.binary_cross_entropy_with_logits(logits, visible),
        "loss_regress": misses,
    }


def retrieval_losses(
    anchor: Retrieved,
    *,
    items: Tensor,
    attributes: Tensor | None = None,
    near: Tensor | None = None,
    far: Tensor | None = None,
) -> dict[str, Tensor]:
    """Which item it is (N,), with embeddings of the same item and of another, with attributes."""
    loss = class_loss(anchor.items, items)
    if near is not None and far is not None:
        loss = loss + cosine_triplet_loss(anchor.embedding, near, far)
    losses = {"loss_id": loss}
    if anchor.attributes is not None and attributes is not None:
        losses["loss_attr"] = attribute_loss(anchor.attributes, attributes)
    return losses


class Weights(NamedTuple):
    """How much each of the recommender's losses counts; as in MMFashion's configurations."""

    triplet: float = 1
    images: float = 5e-5
    texts: float = 5e-5
    both: float = 5e-3
    size: float = 5e-4
    margin: float = 0.3


def compatibility_losses(
    network: TypeAwareRecommender,
    anchor: Garments,
    near: Garments,
    far: Garments,
    *,
    spaces: list[int],
    weights: Weights = Weights(),  # noqa: B008 - immutable
    as_written: bool = False,
) -> dict[str, Tensor]:
    """`near` goes with the anchor in that pair's space; `far` is of near's type and does not.

    As written, what is of one type is pushed apart by the images and drawn together by the
    texts; as meant, drawn together by both.
    """
    count, margin = len(anchor.images), weights.margin
    garments = (anchor, far, near)
    general = [network.encode(garment.images) for garment in garments]
    masked = [network.type_specific_net.train_in(g, spaces) for g in general]
    own, apart, close = (m.embeddings for m in masked)
    net = network.triplet_net
    triplet = ranking_loss(
        net.measure(own, apart), net.measure(own, close), margin=margin, weight=weights.triplet
    )

    texts = [net.text_branch(garment.texts) for garment in garments]
    known = [garment.has_text for garment in garments]
    everyone = torch.ones(count, device=general[0].device)
    alike_images = _draw_together(
        general, everyone, margin=margin, weight=weights.images, backwards=as_written
    )
    alike_texts = _draw_together(
        texts, known[0] * known[1] * known[2], margin=margin, weight=weights.texts
    )

    matches = []
    for i, (j, k) in enumerate(((1, 2), (0, 2), (0, 1))):
        matching = functional.pairwise_distance(general[i], texts[i])
        for other in (j, k):
            strange = functional.pairwise_distance(general[other], texts[i])
            loss = selective_loss(matching, strange, known[i], margin=margin, weight=weights.texts)
            matches.append(loss / 2)
    sizes = torch.stack([m.embedding_norm for m in masked]).sum() / 3 / math.sqrt(count)
    masks = torch.stack([m.mask_norm for m in masked]).sum() / 3 / count
    return {
        "loss_triplet": triplet,
        "loss_sim": alike_images + alike_texts,
        "loss_reg": weights.size * (sizes + masks),
        "loss_vse": weights.both * torch.stack(matches).sum() / 3,
    }


def _draw_together(
    vectors: list[Tensor], counts: Tensor, *, margin: float, weight: float, backwards: bool = False
) -> Tensor:
    """The second and third are of one type, the first is of another."""
    one_type = functional.pairwise_distance(vectors[1], vectors[2])
    losses = []
    for end in (1, 2):
        types = functional.pairwise_distance(vectors[end], vectors[0])
        smaller, larger = (types, one_type) if backwards else (one_type, types)
        losses.append(selective_loss(smaller, larger, counts, margin=margin, weight=weight))
    return (losses[0] + losses[1]) / 2
