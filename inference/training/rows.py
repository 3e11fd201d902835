"""Categories of few photos for a network that is trained: a row each in its category head.

Trunk and every other row stay as they are to the bit, so the vectors do, and what the network
thought of two other categories against each other. All that is learnt is when the new one is
likelier than all of them: a logistic regression on the features, with the old answers' odds for an
offset.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from inference import registry, specs, taxonomy, weights
from inference.networks.garment_net import GarmentNet, normalise
from inference.preprocess import Pixels
from inference.specs import BadWeights
from inference.training.augment import augment
from inference.training.config import Changes
from inference.training.loop import Say
from inference.training.negatives import cut_backgrounds, make_negatives
from inference.training.samples import Sample, read_outfits, read_samples

KIND = "rows"
"""What the configuration's `kind` says, so that `train` knows what to run."""
_BATCH = 64
_ROUNDS = 200
_SAY_BATCHES = 50


@dataclass(frozen=True, slots=True)
class RowsConfig:
    name: str
    seed: int
    size: tuple[int, int]
    """(height, width) of the input."""
    views: int
    """Of each photo of a new category, each changed in another way."""
    others: int
    """Photos of everything else, one view of each."""
    negative_photos: int
    """Generated and background pictures without a garment among them."""
    weight_decay: float
    """Of the new rows' squared length, beside the mean loss."""
    changes: Changes
    limit: int = 0
    """At most that many photos of each file, 0 for all: for a quick look."""


@dataclass(frozen=True, slots=True)
class Row:
    weight: Tensor
    """(256,)"""
    bias: Tensor
    """()"""


def is_rows(path: Path) -> bool:
    """Whether the configuration file is one of new rows."""
    with path.open("rb") as file:
        return tomllib.load(file).get("kind") == KIND


def read_config(path: Path) -> RowsConfig:
    """Raises TypeError for a key that is unknown or missing."""
    with path.open("rb") as file:
        raw: dict[str, Any] = tomllib.load(file)
    raw.pop("kind", None)
    changes = Changes(**raw.pop("changes"))
    return RowsConfig(**{**raw, "size": tuple(raw["size"]), "changes": changes})


def add_rows(config: RowsConfig, *, data: Path, out: Path, start: Path, say: Say) -> Path:
    """Give the published network `start` rows for what the taxonomy trains and it can't answer.

    Returns the widened weights' file in `out`. Raises BadWeights where `start` has no description
    beside it or answers what the taxonomy doesn't train, or no photo shows a new category;
    FileNotFoundError for a missing data file.
    """
    out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    spec = specs.read(start.with_suffix(".toml"))
    order = taxonomy.load().label_order
    if unknown := set(spec.labels) - set(order):
        raise BadWeights(
            f"{spec.choice} answers {', '.join(sorted(unknown))}, which is not trained."
        )
    new = [name for name in order if name not in spec.labels]
    network = registry.build_described(spec)
    samples, backgrounds = _read(config, data, say)
    rng = np.random.default_rng(config.seed)
    onlooker = _Onlooker(network, config, backgrounds, rng, say)
    taken = {order.index(name) for name in new}
    rest = [s for s in samples if not taken.intersection(s.accepts)]
    others = onlooker.see([rest[i] for i in sorted(rng.permutation(len(rest))[: config.others])])
    rows: dict[str, Row] = {}
    for name in new:
        own = [s for s in samples if s.accepts == (order.index(name),)]
        if not own:
            raise BadWeights(f"No photo shows {name} by its label and nothing else.")
        seen = onlooker.see([sample for sample in own for _ in range(config.views)])
        rows[name] = fit_row(seen, others, network, weight_decay=config.weight_decay)
        found = _leave_out(seen, others, network, config)
        say(f"{name}: {len(own)} photos; left out one by one, {found:.3f} of their views are found")
    path = out / f"{config.name}.safetensors"
    save_file(_widen(weights.widen(load_file(start)), rows, spec.labels, order), path)
    return path


def fit_row(own: Tensor, others: Tensor, network: GarmentNet, *, weight_decay: float) -> Row:
    """When the new category is likelier than all that the network answers.

    own (P, 256), others (N, 256): features of the category's and of all other views; either side
    counts as much as it has views.
    """
    features = torch.cat([own, others]).double()
    wanted = torch.cat([torch.ones(len(own)), torch.zeros(len(others))]).double()
    head = network.category
    with torch.no_grad():
        logits = functional.linear(features, head.weight.double(), head.bias.double())
        against = logits.logsumexp(dim=1)
    weight = torch.zeros(features.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=_ROUNDS, line_search_fn="strong_wolfe", tolerance_grad=1e-6
    )

    def step() -> Tensor:
        solver.zero_grad()
        odds = features @ weight + bias - against
        loss = functional.binary_cross_entropy_with_logits(odds, wanted)
        loss = loss + weight_decay * weight.square().sum()
        torch.autograd.backward(loss)
        return loss

    solver.step(step)  # type: ignore[no-untyped-call]  # torch has no types for it
    return Row(weight.detach().float(), bias.detach().float())


def _read(config: RowsConfig, data: Path, say: Say) -> tuple[list[Sample], list[Pixels]]:
    fpi = read_samples(data / "fpi-train.parquet", limit=config.limit).samples
    clothing = read_samples(data / "clothing-train.parquet", limit=config.limit).samples
    outfits = read_outfits(data / "ccp-train.parquet", limit=config.limit)
    backgrounds = cut_backgrounds(data / "ccp-train.parquet", seed=config.seed, limit=config.limit)
    negatives = make_negatives(backgrounds, seed=config.seed, count=config.negative_photos)
    samples = [*fpi, *clothing, *outfits, *negatives]
    say(f"{len(samples)} photos and garments cut from outfits")
    return samples, backgrounds


@dataclass(frozen=True, slots=True)
class _Onlooker:
    """Shows the network changed views of photos."""

    network: GarmentNet
    config: RowsConfig
    backgrounds: list[Pixels]
    rng: np.random.Generator
    say: Say

    @torch.inference_mode()
    def see(self, samples: Sequence[Sample]) -> Tensor:
        """(N, 256): the features of one view of each sample."""
        parts = []
        for start in range(0, len(samples), _BATCH):
            pixels = np.stack(
                [self._change(each.image) for each in samples[start : start + _BATCH]]
            )
            images = normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2))
            parts.append(self.network.see(images).features)
            if len(parts) % _SAY_BATCHES == 0:
                self.say(f"{len(parts) * _BATCH}/{len(samples)} views seen")
        return torch.cat(parts)

    def _change(self, image: Pixels) -> Pixels:
        view = augment(
            image,
            size=self.config.size,
            changes=self.config.changes,
            backgrounds=self.backgrounds,
            rng=self.rng,
        )
        return view.pixels


def _leave_out(own: Tensor, others: Tensor, network: GarmentNet, config: RowsConfig) -> float:
    """The share of views that a row fitted without their photo's answers right."""
    photos = own.split_with_sizes([config.views] * (len(own) // config.views))
    found = 0
    for left, views in enumerate(photos):
        rest = torch.cat([each for i, each in enumerate(photos) if i != left])
        row = fit_row(rest, others, network, weight_decay=config.weight_decay)
        against = network.category(views).amax(dim=1)
        found += int((views @ row.weight + row.bias > against).sum())
    return found / len(own)


def _widen(
    tensors: dict[str, Tensor], rows: dict[str, Row], before: Sequence[str], order: Sequence[str]
) -> dict[str, Tensor]:
    """The head's rows in the taxonomy's order; temperatures are fitted when it is published."""
    weight, bias = tensors["category.weight"], tensors["category.bias"]
    both = [
        (rows[name].weight, rows[name].bias)
        if name in rows
        else (weight[before.index(name)], bias[before.index(name)])
        for name in order
    ]
    tensors["category.weight"] = torch.stack([each for each, _ in both])
    tensors["category.bias"] = torch.stack([each for _, each in both])
    return {k: torch.ones_like(v) if "temperature" in k else v for k, v in tensors.items()}
