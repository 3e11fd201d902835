"""Mask R-CNN learns an outfit's parts from ccp's masks; measured by the overlap on val.

Each step draws its own luck from the seed and its number, so a run that was cut off and goes on
ends as one that was not.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet as pq
import safetensors.torch
import torch
from torch import Tensor, nn

from inference import registry, specs
from inference.etryon.metrics import Found, Truth, measure_detection
from inference.networks.part_net import BACKBONES, LENT, ON_FINDER, Backbone, build_part_net
from inference.preprocess import Pixels, decode
from inference.specs import WeightsSpec
from inference.training import plans
from inference.training.outfits import read_mask
from inference.training.plans import BadPlan, load_checkpoint, save_checkpoint
from inference.weights import hash_file
from inference.wizard.parts import PARTS, PartMap, find_parts, from_ccp
from inference.wizard.segmenting import NAME, SURE, Segmenter, paint

Say = Callable[[str], None]
_LEAST = 12
"""Pixels of a part that is worth learning."""
_FAINT = 0.05
"""Confidence from which masks count for AP."""
_LEAST_CUT = 0.7
"""Of a side, where a piece of the photo is shown."""
_SAVE_STEPS = 50


@dataclass(frozen=True, slots=True)
class Plan:
    train: str = "ccp-train.parquet"
    val: str = "ccp-val.parquet"
    """Parquet files with the columns `image` and `mask`, as ccp has them."""
    name: str = NAME
    backbone: Backbone = "mobilenet_v3_large"
    start: str = ""
    """A safetensors file with torchvision's weights of a ResNet; empty: from random ones."""
    finder: str = "garment-finder"
    """With the backbone "garment-finder": the finder in the store that is looked through."""
    side: int = 256
    """Pixels of the photo's longer side."""
    steps: int = 6000
    batch: int = 4
    rate: float = 1e-3
    limit: int = 0
    """Photos, at most; 0: all."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Outfit:
    image: Pixels
    parts: PartMap


@dataclass(frozen=True, slots=True)
class Overlap:
    """On photos that were not trained on."""

    mean: float
    """Of the parts and the background that occur: intersection over union, all photos together."""
    right: float
    """The share of pixels."""
    by_part: dict[str, float]
    ap: float
    """COCO's of the masks, over IoU 0.50 to 0.95."""
    ap50: float


def read(path: Path) -> Plan:
    """Raises BadPlan."""
    plan = plans.read(path, Plan)
    if plan.backbone not in BACKBONES:
        raise BadPlan(f"{path.name}: backbone is one of {', '.join(BACKBONES)}.")
    if min(plan.steps, plan.batch) < 1 or plan.side < 64:
        raise BadPlan(f"{path.name}: steps and batch have to be positive, side 64 at least.")
    return plan


def read_outfits(path: Path, plan: Plan) -> list[Outfit]:
    """Those with masks, at the plan's size. Raises BadPlan."""
    try:
        table = pq.read_table(path, columns=["image", "mask"])
    except (OSError, KeyError, pyarrow.ArrowException) as error:
        raise BadPlan(f"{path.name} has no photos with masks: {error}") from error
    rows = [row for row in table.to_pylist() if row["mask"]][: plan.limit or None]
    if not rows:
        raise BadPlan(f"{path.name} has no photos with masks.")
    outfits = []
    for row in rows:
        image, parts = decode(row["image"]), from_ccp(read_mask(row["mask"]))
        scale = plan.side / max(image.shape[:2])
        size = round(image.shape[1] * scale), round(image.shape[0] * scale)
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        map_ = np.asarray(cv2.resize(parts, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        outfits.append(Outfit(small, map_))
    return outfits


def train(
    plan: Plan, data: Path, *, out: Path, resume: bool, say: Say
) -> tuple[nn.Module, Overlap]:
    """Checkpoints go to `out`. Raises BadPlan."""
    torch.manual_seed(plan.seed)
    network = build(plan)
    learning = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=plan.rate, weight_decay=1e-4)
    outfits = [o for o in read_outfits(data / plan.train, plan) if len(aim(o)["labels"])]
    held = read_outfits(data / plan.val, plan)
    out.mkdir(parents=True, exist_ok=True)
    path, done = out / "checkpoint.pt", 0
    if resume and (state := load_checkpoint(path, plan)) is not None:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["done"]
        say(f"resumed after step {done}")
    network.train()
    while done < plan.steps:
        share = done / plan.steps
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * min(1.0, 20 * share + 0.05) * (1 - share)
        loss = learn(network, outfits, plan, done)
        if not loss.isfinite():
            raise BadPlan(f"The loss is no number at step {done}; lower the rate.")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learning, 5.0)
        optimizer.step()
        done += 1
        if done % _SAVE_STEPS == 0 or done == plan.steps:
            say(f"step {done}/{plan.steps}: loss {float(loss.detach()):.3f}")
            kept = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
            save_checkpoint(path, plan, {**kept, "done": done})
    overlap = measure(Segmenter(network), held)
    say(f"mean overlap {overlap.mean:.3f}, pixels right {overlap.right:.3f}")
    say(f"masks: AP {overlap.ap:.3f}, AP50 {overlap.ap50:.3f}")
    say(", ".join(f"{name} {value:.2f}" for name, value in overlap.by_part.items()))
    return network, overlap


def build(plan: Plan) -> nn.Module:
    """Ready to learn. Raises BadPlan."""
    try:
        on_finder = plan.backbone == ON_FINDER
        finder = registry.build_finder(specs.find(plan.finder)) if on_finder else None
    except (specs.UnknownModel, specs.BadWeights) as error:
        raise BadPlan(str(error)) from error
    network: nn.Module = build_part_net(plan.backbone, plan.side, finder=finder)
    if plan.start:
        load_start(network, Path(plan.start))
    return network


def learn(network: nn.Module, outfits: Sequence[Outfit], plan: Plan, step: int) -> Tensor:
    """The sum of Mask R-CNN's five losses for the step's photos, half mirrored, all cut."""
    # Mask R-CNN draws its samples by torch's own luck.
    torch.manual_seed(plan.seed * 1_000_003 + step)
    dice = np.random.Generator(np.random.PCG64((plan.seed, step)))
    chosen = [outfits[i] for i in dice.integers(len(outfits), size=plan.batch)]
    shown = [_cut(_mirror(o) if dice.random() < 0.5 else o, dice) for o in chosen]
    images = [
        torch.from_numpy(np.ascontiguousarray(o.image.transpose(2, 0, 1))).float() / 255
        for o in shown
    ]
    losses: dict[str, Tensor] = network(images, [aim(o) for o in shown])
    return torch.stack(list(losses.values())).sum()


def aim(outfit: Outfit) -> dict[str, Tensor]:
    """What torchvision's detectors learn from: boxes, labels, masks of the parts."""
    parts = [p for p in find_parts(outfit.parts) if p.region.sum() >= _LEAST]
    shape = (0, *outfit.parts.shape)
    return {
        "boxes": torch.tensor([p.box.as_tuple() for p in parts]).float().reshape(-1, 4),
        "labels": torch.tensor([PARTS.index(p.name) for p in parts], dtype=torch.int64),
        "masks": torch.from_numpy(
            np.stack([p.region for p in parts]).astype(np.uint8)
            if parts
            else np.zeros(shape, np.uint8)
        ),
    }


def measure(segmenter: Segmenter, outfits: Sequence[Outfit]) -> Overlap:
    counts = np.zeros((len(PARTS), len(PARTS)), np.int64)
    found: list[Found] = []
    truth: list[Truth] = []
    for number, outfit in enumerate(outfits):
        scored = sorted(segmenter.score(outfit.image, least=_FAINT), key=lambda each: each[0])
        said = paint([part for score, part in scored if score >= SURE], outfit.image.shape)
        pairs = outfit.parts.astype(np.int64).ravel() * len(PARTS) + said.ravel()
        counts += np.bincount(pairs, minlength=counts.size).reshape(counts.shape)
        found += [Found(number, p.box, PARTS.index(p.name), s, p.region) for s, p in scored]
        truth += [
            Truth(number, p.box, PARTS.index(p.name), p.region)
            for p in find_parts(outfit.parts)
            if p.region.sum() >= _LEAST
        ]
    both = np.diag(counts)
    either = counts.sum(0) + counts.sum(1) - both
    there = counts.sum(1) > 0
    by_part = {name: float(both[i] / either[i]) for i, name in enumerate(PARTS) if there[i]}
    masks = measure_detection(found, truth, photos=len(outfits))
    return Overlap(
        mean=float(np.mean(list(by_part.values()))),
        right=float(both.sum() / counts.sum()),
        by_part=by_part,
        ap=masks.ap,
        ap50=masks.ap50,
    )


def load_start(network: nn.Module, path: Path) -> None:
    """torchvision's ResNet without its classifier. Raises BadPlan."""
    try:
        found = safetensors.torch.load_file(path)
    except Exception as error:
        raise BadPlan(f"{path.name} holds no weights: {error}") from error
    own = {k: v for k, v in found.items() if not k.startswith("fc.")}
    try:
        network.get_submodule("backbone.body").load_state_dict(own)
    except RuntimeError as error:
        raise BadPlan(f"{path.name} is of another backbone.") from error


def keep(network: nn.Module, overlap: Overlap, *, plan: Plan, store: Path) -> WeightsSpec:
    """In the store, in half precision."""
    store.mkdir(parents=True, exist_ok=True)
    versions = specs.list_versions(plan.name, store=store)
    version = str(int(versions[-1]) + 1 if versions else 1)
    path = store / f"{plan.name}-{version}.safetensors"
    state: dict[str, Any] = network.state_dict()
    halves = {
        k: v.half() if v.is_floating_point() else v
        for k, v in state.items()
        if not k.startswith(LENT)
    }
    path.write_bytes(safetensors.torch.save(halves))
    spec = WeightsSpec(
        name=plan.name,
        version=version,
        architecture="part-net",
        taxonomy="none",
        sha256=hash_file(path),
        labels=PARTS,
        finder=specs.find(plan.finder).choice if plan.backbone == ON_FINDER else "",
        config=json.dumps({"backbone": plan.backbone, "side": plan.side}),
        source=f"trained here by `manage.py train_parts`, {plan.steps} steps of {plan.batch}",
        licence="Apache-2.0" if plan.train.startswith("ccp") else "that of the data",
        data=(plan.train,),
        metrics={
            "mean overlap": round(overlap.mean, 4),
            "pixels right": round(overlap.right, 4),
            "mask AP": round(overlap.ap, 4),
            "mask AP50": round(overlap.ap50, 4),
            **{f"{name} overlap": round(value, 4) for name, value in overlap.by_part.items()},
        },
        folder=store,
    )
    specs.write(spec)
    return spec


def _cut(outfit: Outfit, dice: np.random.Generator) -> Outfit:
    """A piece of the photo; the network enlarges it, so that parts come in many sizes."""
    height, width = outfit.parts.shape
    share = dice.uniform(_LEAST_CUT, 1.0, size=2)
    rows, columns = (np.array([height, width]) * share).astype(int)
    top, left = dice.integers(height - rows + 1), dice.integers(width - columns + 1)
    piece = np.s_[top : top + rows, left : left + columns]
    cut = Outfit(outfit.image[piece], outfit.parts[piece])
    return cut if cut.parts.any() else outfit


def _mirror(outfit: Outfit) -> Outfit:
    return Outfit(outfit.image[:, ::-1], np.ascontiguousarray(outfit.parts[:, ::-1]))
