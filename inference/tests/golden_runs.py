"""A golden's runs, on Kalas' networks."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inference.networks.mmfashion.geometric_matching import GeometricMatching
from inference.networks.mmfashion.predictor import Predictor
from inference.networks.mmfashion.retriever import Retriever
from inference.networks.mmfashion.roi_pooling import RoIPooling
from inference.networks.mmfashion.tryon import TryOn
from inference.tests import goldens

Images = Mapping[str, Tensor]
Difference = tuple[str, float]
"""What was compared, and the largest absolute difference."""

_HOOKS = {
    "backbone_out": "backbone",
    "global_pool_out": "global_pool",
    "roi_pool_out": "roi_pool",
    "concat_out": "concat",
    "attr_logits": "attr_predictor",
    "cate_logits": "cate_predictor",
    "feat_a": "feature_extractora_a",
    "feat_b": "feature_extractora_b",
    "correlation": "feature_correlation",
    "theta": "feature_regression",
    "grid": "tps_warp",
    "generator_out": "generator",
}
_CROPS = {
    "a[:,:,:,:223]": lambda a: a[:, :, :, :223],
    "a[:,:,:100,:100]": lambda a: a[:, :, :100, :100],
}


@torch.inference_mode()
def compare(network: nn.Module, runs: Mapping[str, Any], images: Images) -> Iterator[Difference]:
    """Every run whose images are there; of a batch with others, the rows that are.

    `images` holds a, and b1 and b2 where their files are at hand. Exceptions of the original are
    its tests' matter, not a difference.
    """
    for name, run in runs.items():
        if "exception" in run or "outputs" not in run:
            continue
        call = _read_call(name, images)
        if call is None:
            continue
        batch, landmarks, rows = call
        _set_switches(network, mixes=len(batch) > 1, old_sampling="align_corners=True" in name)
        with _Watch(network) as seen:
            answers = _answer(network, name, batch, landmarks)
        _set_switches(network, mixes=False, old_sampling=False)
        for i, (found, golden) in enumerate(zip(answers, run["outputs"], strict=True)):
            yield f"{name} output {i}", goldens.find_difference(found, golden, rows=rows)
        for hook, golden in run.get("hooks", {}).items():
            if hook in seen:
                yield f"{name} {hook}", goldens.find_difference(seen[hook], golden, rows=rows)


def _answer(network: nn.Module, name: str, batch: Tensor, landmarks: Tensor | None) -> list[Tensor]:
    if isinstance(network, Predictor):
        attributes, categories = network(batch, landmarks)
        return [attributes.sigmoid(), *([] if categories is None else [categories.sigmoid()])]
    if isinstance(network, Retriever):
        if not name.startswith("extra"):
            return [network(batch, landmarks)]
        embedding, items, attributes = network.answer_all(batch, landmarks)
        return [embedding, items, *([] if attributes is None else [attributes.sigmoid()])]
    if hasattr(network, "landmark_regression"):
        visibility, points = network(batch)
        return [visibility.sigmoid(), points]
    return [network(batch)]


def _read_call(name: str, images: Images) -> tuple[Tensor, Tensor | None, int | None] | None:
    """Images, landmarks and how many rows are comparable; None where no image is at hand."""
    found = re.search(r"x=(\[[^\]]*\](?=,lm|$)|a\[:,[^\]]*\]|\w+)", name)
    if found is None:
        return None
    written = found.group(1)
    rows = None
    if written in _CROPS:
        batch = _CROPS[written](images["a"])
    else:
        names = written.strip("[]").split(",")
        if names[0] not in images:
            return None
        rows = next((i for i, n in enumerate(names) if n not in images), len(names))
        batch = torch.cat([images.get(n, images["a"]) for n in names])
    return batch, _read_landmarks(name), rows if len(batch) > 1 else None


def _read_landmarks(name: str) -> Tensor | None:
    found = re.search(r"lm=(\[[^\]]*\]|\w+)", name)
    if found is None or found.group(1) in {"None", "zeros8"}:
        return None
    return torch.cat([goldens.LANDMARKS[n] for n in found.group(1).strip("[]").split(",")])


def _set_switches(network: nn.Module, *, mixes: bool, old_sampling: bool) -> None:
    for module in network.modules():
        if isinstance(module, RoIPooling):
            module.mixes_batch, module.align_corners = mixes, old_sampling


class _Watch:
    """What the named parts answer."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.seen: dict[str, Tensor] = {}
        self.handles: list[Any] = []

    def __enter__(self) -> dict[str, Tensor]:
        parts = dict(self.network.named_children())
        for hook, part in _HOOKS.items():
            if part in parts:
                self.handles.append(parts[part].register_forward_hook(self._note(hook)))
        return self.seen

    def __exit__(self, *unused: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _note(self, hook: str) -> Any:
        def note(part: nn.Module, given: Any, answer: Tensor) -> None:
            self.seen[hook] = answer

        return note


@torch.inference_mode()
def compare_matching(network: GeometricMatching, runs: Mapping[str, Any]) -> Iterator[Difference]:
    """CP-VTON's geometric matching; its inputs are drawn."""
    person, cloth, mask = draw_tryon_inputs()
    for name, old in (("test", False), ("test align_corners=True", True)):
        network.align_corners = old
        with _Watch(network) as seen:
            answers = network(person, cloth, mask)
        network.align_corners = False
        for i, golden in enumerate(runs[name]["outputs"]):
            yield f"{name} output {i}", goldens.find_difference(answers[i], golden)
        for hook, golden in runs[name]["hooks"].items():
            if hook in seen:
                yield f"{name} {hook}", goldens.find_difference(seen[hook], golden)
    bent = runs["tps_warp(theta=PCG64(12) uniform(-0.2,0.2))"]
    shifts = torch.tensor(bent["theta"]["data"]).view(1, 18)
    warp = network.tps_warp
    yield "tps", goldens.find_difference(warp(shifts), bent["outputs"][0])
    still = runs["tps_warp(0)"]["outputs"][0]
    yield "tps(0)", goldens.find_difference(warp(torch.zeros(1, 18)), still)
    yield "tps inverse", goldens.find_difference(warp.Li, runs["tps_Li"])
    target = torch.from_numpy(_draw(14))
    loss = (network(person, cloth, mask).cloth - target).abs().mean()
    golden = runs["train_losses(eval mode) parse_cloth=PCG64(14)"]["losses"]["gmm_loss"]
    yield "loss", abs(float(loss) - golden)


@torch.inference_mode()
def compare_tryon(network: TryOn, runs: Mapping[str, Any]) -> Iterator[Difference]:
    person, cloth, _ = draw_tryon_inputs()
    with _Watch(network) as seen:
        answer = network(person, cloth)
    run = runs["test"]
    yield "output", goldens.find_difference(answer.picture, run["outputs"][0])
    yield "generator", goldens.find_difference(seen["generator_out"], run["hooks"]["generator_out"])
    picture = torch.from_numpy(_draw(13))
    golden = runs["vgg_loss(cloth,PCG64(13) image)"]["value"]
    yield "perceptual loss", abs(float(network.loss_vgg(cloth, picture)) - golden)
    mask = torch.from_numpy(
        (goldens.generate(15).random((1, 1, 256, 192), dtype=np.float32) > 0.5).astype(np.float32)
    )
    losses = runs["train_losses(eval mode) img=PCG64(13), mask=PCG64(15)>0.5"]["losses"]
    for name, found in (
        ("loss_l1", (answer.picture - picture).abs().mean()),
        ("loss_vgg", network.loss_vgg(answer.picture, picture)),
        ("loss_mask", (answer.composite - mask).abs().mean()),
    ):
        yield name, abs(float(found) - losses[name])


def draw_tryon_inputs() -> tuple[Tensor, Tensor, Tensor]:
    """A person without the garment, a cloth and its mask: noise."""
    generator = goldens.generate(11)
    person = generator.random((1, 22, 256, 192), dtype=np.float32) * 2 - 1
    cloth = generator.random((1, 3, 256, 192), dtype=np.float32) * 2 - 1
    mask = (generator.random((1, 1, 256, 192), dtype=np.float32) > 0.5).astype(np.float32)
    return torch.from_numpy(person), torch.from_numpy(cloth), torch.from_numpy(mask)


def _draw(seed: int) -> goldens.Values:
    return goldens.generate(seed).random((1, 3, 256, 192), dtype=np.float32) * 2 - 1
