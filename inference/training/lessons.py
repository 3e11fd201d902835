"""What one step of a run teaches: every head's loss, from the labels and from teachers."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference import taxonomy
from inference.networks.garment_net import EMBEDDING_SIZE, GarmentNet, normalise
from inference.networks.text_net import TextNet
from inference.training.batches import Batch, TrainingSet
from inference.training.config import TrainConfig
from inference.training.losses import (
    accepted_loss,
    alike_loss,
    attribute_losses,
    contrast_loss,
    known_loss,
    taught_alike_loss,
    taught_loss,
)
from inference.training.teachers import Taught, Teachers

ALIKE_SCALE = 12.0


class Outcome(NamedTuple):
    loss: Tensor
    """What is minimised."""
    right: Tensor
    """How many of the views got a right category."""


class Extras(nn.Module):
    """What only training needs."""

    def __init__(self, articles: int, *, scale: float) -> None:
        super().__init__()
        self.article = nn.Linear(EMBEDDING_SIZE, articles)
        self.scale = nn.Parameter(torch.tensor(scale).log())
        """The logarithm of the contrast's inverse temperature."""


class AttributeKeys:
    """How the attribute keys are learnt."""

    def __init__(
        self, config: TrainConfig, training_set: TrainingSet, device: torch.device
    ) -> None:
        order = taxonomy.load().attribute_order
        self.sizes = tuple(len(values) for _, values in order)
        self.weights = torch.tensor(
            [config.attribute_weights.get(key, config.attribute_weight) for key, _ in order],
            device=device,
        )
        apart = [key in config.apart for key, values in order for _ in values]
        self._apart = torch.tensor(apart, device=device)
        rarity = torch.tensor(training_set.count_attributes()).clamp(min=1).rsqrt()
        classes = [
            part * len(part) / part.sum() if key in config.balanced else torch.ones_like(part)
            for (key, _), part in zip(order, rarity.split_with_sizes(list(self.sizes)), strict=True)
        ]
        self.classes = torch.cat(classes).float().to(device)
        """(A,): what each value counts."""

    def read(self, head: nn.Module, features: Tensor) -> Tensor:
        """(N, A) logits; those of keys kept apart send no gradient into the features."""
        return torch.where(self._apart, head(features.detach()), head(features))


class Lessons:
    def __init__(
        self,
        config: TrainConfig,
        *,
        net: GarmentNet,
        texts: TextNet,
        extras: Extras,
        keys: AttributeKeys,
        teachers: Teachers,
        device: torch.device,
    ) -> None:
        self._config = config
        self._net = net
        self._texts = texts
        self._extras = extras
        self._keys = keys
        self._teachers = teachers
        self._device = device

    def teach(self, batch: Batch) -> Outcome:
        config = self._config
        images = normalise(self._to(batch.images))
        accepts = self._to(batch.accepts)
        labels = self._to(batch.attributes)
        colours = self._to(batch.colour)
        features, tints = self._net.see(images)
        logits = self._net.category(features).float()
        category = accepted_loss(
            logits,
            accepts,
            self._to(batch.plain),
            plain_weight=config.plain_weight,
            smoothing=config.label_smoothing,
        )
        tones = self._net.colour(tints).float()
        colour = known_loss(tones, colours)
        said = self._keys.read(self._net.attributes, features).float()
        attributes = attribute_losses(said, labels, self._keys.sizes, classes=self._keys.classes)
        article = known_loss(self._extras.article(features).float(), self._to(batch.article))
        embeddings = functional.normalize(features.float(), dim=1)
        loss = (
            config.article_weight * article
            + config.text_weight * self._contrast(batch, embeddings)
            + config.alike_weight
            * alike_loss(embeddings, self._to(batch.photos), scale=ALIKE_SCALE)
            + config.kin_weight * alike_loss(embeddings, self._to(batch.kin), scale=ALIKE_SCALE)
        )
        if self._teachers:
            taught = self._teachers.answer(images)
            share = config.taught_share
            everyone = torch.ones_like(colours, dtype=torch.bool)
            category = category.lerp(taught_loss(logits, taught.category, known=everyone), share)
            colour = colour.lerp(taught_loss(tones, taught.colour, known=colours >= 0), share)
            attributes = attributes.lerp(self._taught_attributes(said, labels, taught), share)
            loss = loss + config.taught_alike * taught_alike_loss(
                embeddings, taught.alike, scale=ALIKE_SCALE
            )
        loss = (
            loss
            + category
            + config.colour_weight * colour
            + (self._keys.weights * attributes).sum()
        )
        right = accepts.gather(1, logits.argmax(dim=1, keepdim=True)).sum()
        return Outcome(loss, right)

    def _contrast(self, batch: Batch, embeddings: Tensor) -> Tensor:
        texts = self._texts(self._to(batch.words), self._to(batch.weights))
        return contrast_loss(
            embeddings[self._to(batch.described)],
            texts.float(),
            self._to(batch.fits),
            scale=self._extras.scale.exp(),
        )

    def _taught_attributes(self, said: Tensor, labels: Tensor, taught: Taught) -> Tensor:
        """(keys,): of the photos whose label is known."""
        parts = said.split_with_sizes(list(self._keys.sizes), dim=1)
        losses = [
            taught_loss(part, wanted, known=labels[:, key] >= 0)
            for key, (part, wanted) in enumerate(zip(parts, taught.attributes, strict=True))
        ]
        return torch.stack(losses)

    def _to(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._device, non_blocking=True)
