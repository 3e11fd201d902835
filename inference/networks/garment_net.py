"""The network of kalas-mini: a small residual trunk, one embedding, linear heads on it.

Convolutions, batch norm, ReLU, average pooling and matrix products only: every part folds,
exports to ONNX and runs well on a CPU without depthwise tricks. Residual blocks after He et al.
2016 with the pooled shortcuts of ResNet-D (He et al. 2019).
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDING_SIZE = 256
MEAN = (0.72, 0.69, 0.68)
STD = (0.29, 0.30, 0.30)
"""Of the training photos' pixels, red, green, blue, 0 to 1."""


class Answer(NamedTuple):
    """What the network says about a batch of N crops.

    Logits are unnormalised (softmax over the labels, the families, each attribute key's values)
    and divided by their head's temperature.
    """

    category: Tensor
    """(N, L): the weights file's labels, in its order."""
    embedding: Tensor
    """(N, 256), L2-normalised; TextNet's vectors lie in the same space."""
    colour: Tensor
    """(N, number of colour families)."""
    attributes: Tensor
    """(N, A): the values of all attribute keys one after the other, in the file's order."""


class Seen(NamedTuple):
    """What the heads read; the mean of several views of a crop is as good as one's."""

    features: Tensor
    """(N, 256): the embedding before normalisation."""
    tints: Tensor
    """(N, T): what the colour head reads."""


class GarmentNet(nn.Module):
    """float32 (N, 3, H, W), RGB, as `normalise` gives it → Answer.

    Any H and W of at least 32; trained on portrait crops of 3:4. `attributes` is the number of
    values of all attribute keys together. With `colour_hidden` the colour head has that many
    hidden units and reads the trunk's first and last stage, else it reads the embedding.
    """

    def __init__(
        self,
        *,
        labels: int,
        colours: int,
        attributes: int,
        widths: tuple[int, ...] = (48, 96, 192, 384),
        depths: tuple[int, ...] = (2, 2, 3, 2),
        colour_hidden: int = 0,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(3, 32, stride=2),
            nn.ReLU(inplace=True),
            _convolution(32, widths[0], stride=2),
            nn.ReLU(inplace=True),
        )
        blocks: list[nn.Module] = []
        before = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(ResidualBlock(before, width, stride=stride))
                before = width
        self.trunk = nn.Sequential(*blocks)
        self._early = depths[0]
        self.embed = nn.Linear(before, EMBEDDING_SIZE, bias=False)
        self.embed_norm = nn.BatchNorm1d(EMBEDDING_SIZE)
        self.category = nn.Linear(EMBEDDING_SIZE, labels)
        self.colour: nn.Module = nn.Linear(EMBEDDING_SIZE, colours)
        self._tinted = colour_hidden > 0
        if self._tinted:
            self.colour = nn.Sequential(
                nn.Linear(before + 2 * widths[0], colour_hidden),
                nn.ReLU(inplace=True),
                nn.Linear(colour_hidden, colours),
            )
        self.attributes = nn.Linear(EMBEDDING_SIZE, attributes)
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(()))
        self.colour_temperature: Tensor
        self.register_buffer("colour_temperature", torch.ones(()))
        self.attribute_temperatures: Tensor
        self.register_buffer("attribute_temperatures", torch.ones(attributes))
        self.apply(_initialise)
        for block in blocks:
            # Each block starts as the identity, which lets the learning rate start high.
            nn.init.zeros_(cast(ResidualBlock, block).last_norm.weight)

    def see(self, images: Tensor) -> Seen:
        early = self.trunk[: self._early](self.stem(images))
        pooled = self.trunk[self._early :](early).mean(dim=(2, 3))
        features = cast(Tensor, self.embed_norm(self.embed(pooled)))
        if not self._tinted:
            return Seen(features, features)
        # Absolute colour is plainest before the trunk has made shapes of it. Its spread is a small
        # difference of large numbers, which training's short ones would lose.
        early = early.float()
        mean, mean_of_squares = early.mean(dim=(2, 3)), early.square().mean(dim=(2, 3))
        spread = (mean_of_squares - mean.square()).clamp(min=1e-6).sqrt()
        return Seen(features, torch.cat([pooled, mean, spread], dim=1))

    def answer(self, seen: Seen) -> Answer:
        return Answer(
            category=self.category(seen.features) / self.temperature,
            embedding=functional.normalize(seen.features, dim=1),
            colour=self.colour(seen.tints) / self.colour_temperature,
            attributes=self.attributes(seen.features) / self.attribute_temperatures,
        )

    def forward(self, images: Tensor) -> Answer:
        return self.answer(self.see(images))


class ResidualBlock(nn.Module):
    def __init__(self, before: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.first = _convolution(before, width, stride=stride)
        self.last = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.last_norm = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, stride, ceil_mode=True),
                nn.Conv2d(before, width, 1, bias=False),
                nn.BatchNorm2d(width),
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = self.last_norm(self.last(functional.relu(self.first(x), inplace=True)))
        return functional.relu(inner + self.shortcut(x), inplace=True)


def normalise(images: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) RGB → the float32 that GarmentNet reads, on the same device."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std


def _convolution(before: int, width: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
