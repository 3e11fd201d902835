"""What each kind learns from a batch, and how well it has learnt."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from inference.mmfashion import metrics
from inference.mmfashion.data import deepfashion, polyvore, samples
from inference.mmfashion.data.deepfashion import LANDMARKS, Picture
from inference.mmfashion.data.lists import BadData
from inference.mmfashion.data.samples import Sample
from inference.mmfashion.pictures import SIZE, read_picture
from inference.networks.mmfashion import losses
from inference.networks.mmfashion.losses import Garments
from inference.training.ancestors.recipe import BadRecipe, Recipe

Metrics = dict[str, float]


class Task(Protocol):
    """A data set with what is learnt from it."""

    size: int
    """How many examples an epoch has."""

    def compute_losses(
        self, network: nn.Module, chosen: Sequence[int], dice: np.random.Generator
    ) -> dict[str, Tensor]: ...

    def measure(self, network: nn.Module) -> Metrics:
        """On the photos that are not trained on; the same each time."""
        ...


class Attributes:
    """Categories and attributes of DeepFashion."""

    def __init__(self, root: Path, recipe: Recipe) -> None:
        pictures = deepfashion.read_attributes(root, fine=recipe.kind == "attributes-fine")
        self.photos = _Photos(root, samples.ATTRIBUTE_MARGIN, flips=recipe.flips)
        self.train = _some([p for p in pictures if p.split == "train"])
        self.test = [p for p in pictures if p.split == "val"] or self.train
        self.size = len(self.train)
        wanted, there = recipe.model["attr_predictor"]["outchannels"], len(self.train[0].attributes)
        if wanted != there:
            raise BadRecipe(f"The model answers {wanted} attributes, the data have {there}.")

    def compute_losses(
        self, network: nn.Module, chosen: Sequence[int], dice: np.random.Generator
    ) -> dict[str, Tensor]:
        pictures = [self.train[i] for i in chosen]
        images, points, _ = self.photos.load(pictures, dice)
        attributes, categories = network(images, points.flatten(1))
        truth = torch.tensor([p.attributes for p in pictures])
        found = {"attributes": losses.attribute_loss(attributes, truth)}
        if categories is not None:
            named = torch.tensor([p.category for p in pictures])
            found["categories"] = losses.class_loss(categories, named)
        return found

    def measure(self, network: nn.Module) -> Metrics:
        said, named = [], []
        for picture in self.test:
            images, points, _ = self.photos.load([picture], None)
            attributes, categories = network(images, points.flatten(1))
            said.append(attributes[0].numpy())
            named.append(categories[0].numpy() if categories is not None else np.zeros(0))
        truth = np.array([p.attributes for p in self.test])
        measured = {}
        for k in (3, 5):
            found = metrics.measure_attributes(np.stack(said), truth, k=k)
            measured[f"attribute recall top-{k}, written"] = found.recall
            measured[f"attribute recall top-{k}, micro"] = found.micro_recall
        if named[0].size:
            categories = np.array([p.category for p in self.test])
            for k in (1, 3, 5):
                one = metrics.measure_categories(np.stack(named), categories, k=k)
                measured[f"category recall top-{k}, written"] = one.recall
                measured[f"category accuracy top-{k}"] = one.accuracy
        return measured


class InShop:
    """Items of one shop: identity, triplets, attributes."""

    def __init__(self, root: Path, recipe: Recipe) -> None:
        self.train, self.queries, self.gallery = map(_some, self._read(root))
        self.photos = _Photos(root, samples.RETRIEVAL_MARGIN, flips=recipe.flips)
        self.size, self.triplet = len(self.train), recipe.triplet
        self.numbers = {item: i for i, item in enumerate(dict.fromkeys(p.item for p in self.train))}
        self.same = deepfashion.group_items(self.train)
        places = recipe.model["embed_extractor"]["inter_channels"][1]
        if places < len(self.numbers):
            raise BadRecipe(f"The model knows {places} items, the data have {len(self.numbers)}.")
        if recipe.triplet and len(self.numbers) < 2:
            raise BadData("Triplets need photos of two items at least.")

    def compute_losses(
        self, network: nn.Module, chosen: Sequence[int], dice: np.random.Generator
    ) -> dict[str, Tensor]:
        pictures = [self.train[i] for i in chosen]
        items = torch.tensor([self.numbers[p.item] for p in pictures])
        truth = torch.tensor([p.attributes for p in pictures])
        answer: Any = network
        images, points, _ = self.photos.load(pictures, dice)
        anchor = answer.answer_all(images, points.flatten(1))
        near = far = None
        if self.triplet:
            near = self._embed(network, [self._draw_same(p, dice) for p in pictures], dice)
            far = self._embed(network, [self._draw_other(p, dice) for p in pictures], dice)
        return losses.retrieval_losses(anchor, items=items, attributes=truth, near=near, far=far)

    def measure(self, network: nn.Module) -> Metrics:
        queries = torch.cat([self._embed(network, [p], None) for p in self.queries]).numpy()
        gallery = torch.cat([self._embed(network, [p], None) for p in self.gallery]).numpy()
        numbers = {item: i for i, item in enumerate(sorted({p.item for p in self.gallery}))}
        asked = [i for i, p in enumerate(self.queries) if p.item in numbers]
        order = metrics.order_gallery(queries[asked], gallery)
        items = np.array([numbers[p.item] for p in self.gallery])
        wanted = np.array([numbers[self.queries[i].item] for i in asked])
        measured = {}
        for k in (1, 3, 5, 10, 20):
            found = metrics.measure_retrieval(order, items, wanted, k=k)
            measured[f"recall@{k}, written"] = found.recall
            measured[f"hit rate@{k}"] = found.hit_rate
        return measured

    def _read(self, root: Path) -> tuple[list[Picture], list[Picture], list[Picture]]:
        """Photos to train on, to ask with and to be found."""
        pictures = deepfashion.read_inshop(root)
        train, queries, gallery = (
            [p for p in pictures if p.split == split] for split in ("train", "query", "gallery")
        )
        return train, queries, gallery

    def _embed(
        self, network: nn.Module, pictures: list[Picture], dice: np.random.Generator | None
    ) -> Tensor:
        images, points, _ = self.photos.load(pictures, dice)
        found: Tensor = network(images, points.flatten(1))
        return found

    def _draw_same(self, picture: Picture, dice: np.random.Generator) -> Picture:
        others = [p for p in self.same[picture.item] if p is not picture] or [picture]
        return others[dice.integers(len(others))]

    def _draw_other(self, picture: Picture, dice: np.random.Generator) -> Picture:
        while True:
            other = self.train[dice.integers(len(self.train))]
            if other.item != picture.item:
                return other


class ConsumerToShop(InShop):
    """Customers' photos find the shop's: as in one shop, but what is drawn together in a triplet
    is a photo of each side."""

    def _read(self, root: Path) -> tuple[list[Picture], list[Picture], list[Picture]]:
        pairs = deepfashion.read_pairs(root)
        self.shown = {pair.shop.image for pair in pairs}
        train = [pair for pair in pairs if pair.shop.split == "train"]
        held = [pair for pair in pairs if pair.shop.split == "val"] or [
            pair for pair in pairs if pair.shop.split == "test"
        ]
        return (
            list(dict.fromkeys(p for pair in train for p in (pair.consumer, pair.shop))),
            list(dict.fromkeys(pair.consumer for pair in held)),
            list(dict.fromkeys(pair.shop for pair in held)),
        )

    def _draw_same(self, picture: Picture, dice: np.random.Generator) -> Picture:
        others = [
            p
            for p in self.same[picture.item]
            if (p.image in self.shown) != (picture.image in self.shown)
        ]
        return others[dice.integers(len(others))]


class Landmarks:
    """Where the landmarks are, and which can be seen."""

    def __init__(self, root: Path, recipe: Recipe) -> None:
        pictures = deepfashion.read_landmarks(root)
        self.photos = _Photos(root, samples.ATTRIBUTE_MARGIN, flips=recipe.flips)
        self.train = _some([p for p in pictures if p.split == "train"])
        self.test = _some(
            [p for p in pictures if p.split == "val"] or [p for p in pictures if p.split == "test"]
        )
        self.size = len(self.train)

    def compute_losses(
        self, network: nn.Module, chosen: Sequence[int], dice: np.random.Generator
    ) -> dict[str, Tensor]:
        images, points, visible = self.photos.load([self.train[i] for i in chosen], dice)
        found = losses.landmark_losses(network(images), visible=visible, points=points)
        # Squared pixels are some thousand times a cross-entropy.
        return found | {"loss_regress": found["loss_regress"] / SIZE**2}

    def measure(self, network: nn.Module) -> Metrics:
        places, said, truth, seen = [], [], [], []
        for picture in self.test:
            images, points, visible = self.photos.load([picture], None)
            found = network(images)
            places.append(found.points[0].numpy())
            said.append(found.visibility[0].sigmoid().numpy())
            truth.append(points[0].numpy())
            seen.append(visible[0].numpy())
        errors = metrics.measure_landmarks(
            np.stack(places), np.stack(truth), np.stack(seen), np.stack(said), size=SIZE
        )
        return {
            "error, written": errors.error,
            "detected, written": errors.detected,
            "error, visible": errors.visible_error,
            "detected, visible": errors.visible_detected,
            "visibility accuracy": errors.visibility_accuracy,
        }


class Compatibility:
    """Which garments are worn together: Polyvore."""

    def __init__(self, root: Path, recipe: Recipe) -> None:
        self.outfits = polyvore.read_outfits(root, split="train")
        self.test = polyvore.read_outfits(root, split="test")
        self.root = root
        self.pairs = list(polyvore.draw_pairs(self.outfits))
        self.size = len(self.pairs)
        self.width = recipe.model["triplet_net"]["text_feature_dim"]
        texts = root / "disjoint" / "train_hglmm_pca6000.txt"
        self.texts = polyvore.read_texts(texts, size=self.width) if texts.exists() else {}
        spaces = recipe.model["type_specific_net"]["n_conditions"]
        if spaces < len(self.outfits.spaces):
            raise BadRecipe(
                f"The model has {spaces} spaces, {len(self.outfits.spaces)} are needed."
            )

    def compute_losses(
        self, network: nn.Module, chosen: Sequence[int], dice: np.random.Generator
    ) -> dict[str, Tensor]:
        pairs = [self.pairs[i] for i in chosen]
        far = [self._draw_other(near, dice) for _, near, _ in pairs]
        model: Any = network
        return losses.compatibility_losses(
            model,
            self._load([one for one, _, _ in pairs]),
            self._load([near for _, near, _ in pairs]),
            self._load(far),
            spaces=[space for _, _, space in pairs],
        )

    def measure(self, network: nn.Module) -> Metrics:
        images = {item: self._read(item) for item in self.test.items}
        embeddings = {i: network(image[None])[0].numpy() for i, image in images.items()}
        metric = getattr(network.triplet_net, "metric_branch", None)
        compatibility = polyvore.Compatibility(
            self.test, embeddings, None if metric is None else metric.weight[0].numpy()
        )
        folder = self.root / "disjoint"
        asked = polyvore.read_compatibility(folder / "compatibility_test.txt", self.test)
        questions = polyvore.read_questions(folder / "fill_in_blank_test.json", self.test)
        return {
            "compatibility AUC": compatibility.measure_auc(asked),
            "fill in the blank": compatibility.measure_answers(questions),
        }

    def _load(self, items: list[str]) -> Garments:
        texts = [self.texts.get(self.outfits.texts[item]) for item in items]
        return Garments(
            torch.stack([self._read(item) for item in items]),
            torch.stack(
                [torch.zeros(self.width) if t is None else torch.from_numpy(t) for t in texts]
            ),
            torch.tensor([0.0 if t is None else 1.0 for t in texts]),
        )

    def _read(self, item: str) -> Tensor:
        path = self.root / "images" / f"{item}.jpg"
        try:
            return read_picture(path.read_bytes())
        except OSError as error:
            raise BadData(f"{path} is missing.") from error

    def _draw_other(self, near: str, dice: np.random.Generator) -> str:
        """Of near's type, where there is another one."""
        items = self.outfits.items
        alike = [
            i for i in items if i != near and self.outfits.types[i] == self.outfits.types[near]
        ]
        others = alike or [i for i in items if i != near]
        return others[dice.integers(len(others))]


def _some(pictures: list[Picture]) -> list[Picture]:
    """Raises BadData where there are none."""
    if not pictures:
        raise BadData("The lists name no photos to train on, or none to measure with.")
    return pictures


@dataclass(frozen=True, slots=True)
class _Photos:
    root: Path
    margin: int
    flips: bool

    def load(
        self, pictures: list[Picture], dice: np.random.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Images (N, 3, 224, 224), landmarks (N, 8, 2), visible (N, 8); mirrored by the dice."""
        found = [samples.read_sample(self.root, p, margin=self.margin) for p in pictures]
        if dice is not None and self.flips:
            found = [mirror(s) if dice.random() < 0.5 else s for s in found]
        return (
            torch.stack([s.image for s in found]),
            torch.stack([s.points for s in found]),
            torch.stack([s.visible for s in found]),
        )


def mirror(sample: Sample) -> Sample:
    """Left collar, sleeve, waist and hem are then the right ones: landmarks stand in pairs."""
    swapped = [i ^ 1 for i in range(LANDMARKS)]
    there = sample.points.abs().sum(1) > 0
    points = sample.points.clone()
    points[there, 0] = SIZE - points[there, 0]
    return Sample(sample.image.flip(2), points[swapped], sample.visible[swapped])


TASKS: dict[str, type[Attributes | InShop | Landmarks | Compatibility]] = {
    "attributes": Attributes,
    "attributes-fine": Attributes,
    "in-shop": InShop,
    "consumer-to-shop": ConsumerToShop,
    "landmarks": Landmarks,
    "compatibility": Compatibility,
}
