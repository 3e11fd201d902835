"""What each network learns from a batch of photos, and how well it has learnt."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from inference.contract import Box
from inference.etryon import mallzee, metrics
from inference.etryon.metrics import Found
from inference.etryon.metrics import Truth as Wanted
from inference.mmfashion.data.lists import BadData
from inference.networks.etryon import Aligned
from inference.training.etryon.losses import alignment_loss, label_loss, soft_f1_loss
from inference.training.etryon.photos import Photo, box_flat_lay
from inference.training.etryon.recipe import Recipe
from inference.training.etryon.views import show_all, show_outfit
from inference.words import encode_words

Metrics = dict[str, float]
ValueOrder = tuple[tuple[str, tuple[str, ...]], ...]


class Task(Protocol):
    """Photos with what is learnt from them."""

    train: list[Photo]
    labels: tuple[str, ...]
    """What the network answers, in order."""
    attributes: ValueOrder
    answers: int
    heads: tuple[str, ...]
    """What learns while features are only read."""
    judged_by: str
    """The metric that decides which epoch was best."""

    def compute_loss(
        self, network: nn.Module, chosen: Sequence[Photo], dice: np.random.Generator
    ) -> Tensor: ...

    def measure(self, network: nn.Module) -> Metrics:
        """On the photos that aren't learnt from; the same each time."""
        ...

    def weigh(self) -> list[float]:
        """How often each photo is shown, for upsampling."""
        ...


class Categories:
    attributes: ValueOrder = ()
    heads = ("classifier",)
    judged_by = "accuracy"

    def __init__(self, train: Sequence[Photo], val: Sequence[Photo], recipe: Recipe) -> None:
        self.labels, self.answers, self.recipe = mallzee.NAMES, len(mallzee.NAMES), recipe
        self.train = _need([p for p in train if p.category], "with a category")
        self.val = _need([p for p in val if p.category], "with a category to measure on")
        self.counts = np.bincount([self._index(p) for p in self.train], minlength=self.answers)
        self.weights = (
            _balance(self.counts) if recipe.balance == "weights" else torch.ones(self.answers)
        )

    def compute_loss(
        self, network: nn.Module, chosen: Sequence[Photo], dice: np.random.Generator
    ) -> Tensor:
        device = _find_device(network)
        logits = network(show_all(chosen, self.recipe, dice).to(device))
        truth = torch.tensor([self._index(p) for p in chosen], device=device)
        return nn.functional.cross_entropy(logits, truth, weight=self.weights.to(device))

    def measure(self, network: nn.Module) -> Metrics:
        scores = _ask(network, self.val, self.recipe).softmax(1).numpy()
        truth = np.array([self._index(p) for p in self.val])
        return {
            "accuracy": metrics.measure_top(scores, truth, k=1),
            "top-3": metrics.measure_top(scores, truth, k=3),
            "top-5": metrics.measure_top(scores, truth, k=5),
        }

    def weigh(self) -> list[float]:
        rarest = _balance(self.counts).tolist()
        return [rarest[self._index(p)] for p in self.train]

    def _index(self, photo: Photo) -> int:
        return self.labels.index(photo.category)


class Attributes:
    heads = ("classifier",)
    judged_by = "F1 micro"

    def __init__(self, train: Sequence[Photo], val: Sequence[Photo], recipe: Recipe) -> None:
        self.attributes = tuple((key, mallzee.list_labels(key)) for key in mallzee.KEYS)
        self.words = [(key, word) for key, words in self.attributes for word in words]
        self.labels, self.answers, self.recipe = (), len(self.words), recipe
        self.train = _need([p for p in train if p.attributes], "with a pattern or style")
        self.val = _need([p for p in val if p.attributes], "with a pattern or style to measure on")
        self.truth = {id(p): self._find(p) for p in [*self.train, *self.val]}
        self.counts = np.sum([self.truth[id(p)][0] for p in self.train], axis=0)
        self.weights = (
            _balance(self.counts) if recipe.balance == "weights" else torch.ones(self.answers)
        )

    def compute_loss(
        self, network: nn.Module, chosen: Sequence[Photo], dice: np.random.Generator
    ) -> Tensor:
        device = _find_device(network)
        logits = network(show_all(chosen, self.recipe, dice).to(device))
        truth, known = (
            torch.from_numpy(np.stack([self.truth[id(p)][i] for p in chosen])).to(device)
            for i in (0, 1)
        )
        compute = soft_f1_loss if self.recipe.loss == "soft-f1" else label_loss
        return compute(logits, truth.float(), known.float(), self.weights.to(device))

    def measure(self, network: nn.Module) -> Metrics:
        scores = _ask(network, self.val, self.recipe).sigmoid().numpy()
        truth = np.stack([self.truth[id(p)][0] for p in self.val])
        known = np.stack([self.truth[id(p)][1] for p in self.val])
        sizes = np.cumsum([0, *(len(words) for _, words in self.attributes)])
        groups = [range(sizes[i], sizes[i + 1]) for i in range(len(self.attributes))]
        found = metrics.measure_labels(metrics.choose_labels(scores, groups) & known, truth)
        return {
            "exact match": found.exact_match,
            "binary accuracy": found.binary_accuracy,
            "F1 micro": found.f1_micro,
            "F1 macro": found.f1_macro,
            "meanIR": metrics.measure_mean_ir(truth),
            "SCUMBLE": metrics.measure_scumble(truth),
        }

    def weigh(self) -> list[float]:
        """By a photo's rarest label."""
        rarest = _balance(self.counts).numpy()
        common = float(rarest[self.counts > 0].min())
        return [
            float(rarest[self.truth[id(p)][0]].max()) if self.truth[id(p)][0].any() else common
            for p in self.train
        ]

    def _find(self, photo: Photo) -> tuple[metrics.Bools, metrics.Bools]:
        said = dict(photo.attributes)
        truth = np.array([said.get(key) == word for key, word in self.words])
        return truth, np.array([key in said for key, _ in self.words])


class Detector:
    attributes: ValueOrder = ()
    heads = ("rpn", "roi_heads")
    judged_by = "AP"

    def __init__(self, train: Sequence[Photo], val: Sequence[Photo], recipe: Recipe) -> None:
        self.labels: tuple[str, ...] = mallzee.OBJECTS
        self.answers, self.recipe = len(self.labels), recipe
        if recipe.canny:
            train, val = [box_flat_lay(p) for p in train], [box_flat_lay(p) for p in val]
        self.train = _need([p for p in train if p.garments], "with boxes")
        self.val = _need([p for p in val if p.garments], "with boxes to measure on")

    def compute_loss(
        self, network: nn.Module, chosen: Sequence[Photo], dice: np.random.Generator
    ) -> Tensor:
        device = _find_device(network)
        shown = [show_outfit(p, self.recipe, dice) for p in chosen]
        losses = network(
            [image.to(device) for image, _ in shown],
            [{key: value.to(device) for key, value in truth.items()} for _, truth in shown],
        )
        return torch.stack(list(losses.values())).sum()

    def measure(self, network: nn.Module) -> Metrics:
        found, wanted = [], []
        for number, photo in enumerate(self.val):
            image, _ = show_outfit(photo, self.recipe, None)
            [answer] = network([image.to(_find_device(network))])
            for label, score, corners in zip(
                answer["labels"].tolist(),
                answer["scores"].tolist(),
                answer["boxes"].tolist(),
                strict=True,
            ):
                left, top, right, bottom = (round(max(value, 0)) for value in corners)
                if left < right and top < bottom:
                    found.append(Found(number, Box(left, top, right, bottom), label, score))
            wanted += [Wanted(number, g.box, g.object + 1) for g in photo.garments or ()]
        measured = metrics.measure_detection(found, wanted, photos=len(self.val))
        return {
            "AP": measured.ap,
            "AP50": measured.ap50,
            "AP75": measured.ap75,
            "AR@1": measured.ar1,
            "AR@10": measured.ar10,
            "AR@100": measured.ar100,
        }

    def weigh(self) -> list[float]:
        """By a photo's rarest object."""
        kinds = [[g.object for g in p.garments or ()] for p in self.train]
        rarest = _balance(
            np.bincount([k for some in kinds for k in some], minlength=self.answers)
        ).tolist()
        return [max(rarest[kind] for kind in some) for some in kinds]


class Alignment:
    labels: tuple[str, ...] = ()
    attributes: ValueOrder = ()
    answers = 0
    heads = ("image.classifier", "text")
    judged_by = "text of photo@5"

    def __init__(self, train: Sequence[Photo], val: Sequence[Photo], recipe: Recipe) -> None:
        self.recipe = recipe
        self.train = _need([p for p in train if p.text], "with a text")
        self.val = _need([p for p in val if p.text], "with a text to measure on")

    def compute_loss(
        self, network: nn.Module, chosen: Sequence[Photo], dice: np.random.Generator
    ) -> Tensor:
        aligned = cast(Aligned, network)
        # Clipped before it counts; the optimiser has moved it since.
        aligned.clip()
        device = _find_device(network)
        ids, weights = (torch.from_numpy(part) for part in encode_words([p.text for p in chosen]))
        images = show_all(chosen, self.recipe, dice)
        seen, read = aligned(images.to(device), ids.to(device), weights.to(device))
        texts = [p.text for p in chosen]
        same = torch.tensor([[a == b for b in texts] for a in texts], device=device)
        return alignment_loss(seen, read, aligned.scale.exp(), same)

    def measure(self, network: nn.Module) -> Metrics:
        """Whether a photo's text is among the k nearest of all different ones."""
        aligned = cast(Aligned, network)
        seen = nn.functional.normalize(_ask(aligned.image, self.val, self.recipe), dim=1)
        texts = sorted({p.text for p in self.val})
        scores = (seen @ aligned.text.encode(texts).cpu().T).numpy()
        truth = np.array([texts.index(p.text) for p in self.val])
        measured = {
            f"text of photo@{k}": metrics.measure_top(scores, truth, k=k) for k in (1, 5, 10)
        }
        return measured | {"temperature": float(aligned.scale.exp())}

    def weigh(self) -> list[float]:
        return [1.0] * len(self.train)


TASKS: dict[str, Any] = {
    "category": Categories,
    "attributes": Attributes,
    "detector": Detector,
    "alignment": Alignment,
}


def _need(photos: list[Photo], what: str) -> list[Photo]:
    if not photos:
        raise BadData(f"There are no photos {what}.")
    return photos


def _find_device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _ask(network: nn.Module, photos: Sequence[Photo], recipe: Recipe) -> Tensor:
    """On the CPU."""
    device = _find_device(network)
    parts = []
    for start in range(0, len(photos), recipe.batch):
        batch = photos[start : start + recipe.batch]
        parts.append(network(show_all(batch, recipe, None).to(device)).cpu())
    return torch.cat(parts)


def _balance(counts: Any) -> Tensor:
    """Of each class: how much rarer it is than the most frequent one, at most ten times."""
    there = torch.from_numpy(np.asarray(counts, np.float32))
    return (there.max() / there.clamp(min=1)).clamp(max=10.0)
