"""A model asked about crops and about words, and a training run's weights as a model."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from inference import taxonomy, weights
from inference.mirror import see_both_sides
from inference.networks.garment_net import MEAN, STD, GarmentNet
from inference.networks.text_net import TextNet
from inference.preprocess import Pixels
from inference.runtime import Floats, Model
from inference.specs import BadWeights, WeightsSpec
from inference.torch_networks import FromWords, TorchNetwork, wrap
from inference.training.calibration import shares
from inference.training.evaluation.answers import CATEGORY, COLOUR, Answers, Head
from inference.words import encode_words

_BATCH = 64


def ask(model: Model, crops: Iterable[Pixels]) -> Answers:
    """About uint8 crops (height, width, 3) of the model's size; at least one."""
    see = see_both_sides(model)
    parts = [see(np.stack(batch)) for batch in _batches(crops)]
    category, embedding, colour, attributes = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    heads = {
        CATEGORY: Head(model.spec.labels, shares(category)),
        COLOUR: Head(model.spec.colour_families, shares(colour)),
    }
    start = 0
    for key, values in model.spec.attributes:
        heads[key] = Head(values, shares(attributes[:, start : start + len(values)]))
        start += len(values)
    return Answers(heads, embedding, np.zeros(len(embedding), dtype=np.bool_))


def read(model: Model, texts: list[str]) -> Floats:
    """(N, d), L2-normalised; of a model that knows no words (0, 0)."""
    if model.words is None:
        return np.empty((0, 0), dtype=np.float32)
    [vectors] = model.words(*encode_words(texts))
    return vectors


def read_run(
    path: Path,
    *,
    texts: Path | None,
    size: tuple[int, int],
    device: str,
    mirrored: bool = False,
) -> Model:
    """A training run's weights, which answer today's taxonomy. Raises BadWeights."""
    network, spec = read_network(path, size=size)
    model = wrap(network, replace(spec, mirrored=mirrored), device=device)
    if texts is None:
        return model
    words = TextNet()
    _fill(words, read_tensors(texts))
    return replace(model, words=TorchNetwork(FromWords(words), device=device))


def read_network(path: Path, *, size: tuple[int, int]) -> tuple[GarmentNet, WeightsSpec]:
    """A training run's network of whatever widths, and what it answers. Raises BadWeights."""
    tensors = read_tensors(path)
    spec = _describe(path, tensors, size)
    network = GarmentNet(
        labels=len(spec.labels),
        colours=len(spec.colour_families),
        attributes=spec.attribute_values,
        widths=spec.widths,
        depths=spec.depths,
        colour_hidden=spec.colour_hidden,
    )
    _fill(network, tensors)
    return network, spec


def _describe(path: Path, tensors: dict[str, Tensor], size: tuple[int, int]) -> WeightsSpec:
    names = taxonomy.load()
    widths, depths = _shape(tensors)
    return WeightsSpec(
        name=path.stem,
        version="run",
        architecture="garment-net",
        taxonomy=names.version,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        input_size=size,
        mean=MEAN,
        std=STD,
        widths=widths,
        depths=depths,
        colour_hidden=len(tensors.get("colour.0.bias", ())),
        labels=names.label_order,
        colour_families=tuple(family.name for family in names.colour_families),
        attributes=names.attribute_order,
    )


def _shape(tensors: dict[str, Tensor]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Widths and depths of the stages; every stage but the first begins with a new shortcut."""
    widths: list[int] = []
    depths: list[int] = []
    block = 0
    while (last := tensors.get(f"trunk.{block}.last.weight")) is not None:
        if block == 0 or f"trunk.{block}.shortcut.1.weight" in tensors:
            widths.append(len(last))
            depths.append(0)
        depths[-1] += 1
        block += 1
    if not widths:
        raise BadWeights("These are the weights of another network: it has no trunk.")
    return tuple(widths), tuple(depths)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A run's weights in float32, in today's format. Raises BadWeights."""
    try:
        return weights.widen(weights.rename(safetensors.torch.load(path.read_bytes())))
    except (OSError, SafetensorError) as error:
        raise BadWeights(f"{path.name} cannot be read: {error}") from error


def _fill(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise BadWeights(f"These are the weights of another network: {first}") from error


def _batches(crops: Iterable[Pixels]) -> Iterator[list[Pixels]]:
    rest = iter(crops)
    while batch := list(islice(rest, _BATCH)):
        yield batch
