"""The finder's training loop: resumable, the same result with and without an interruption."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inference import weights
from inference.networks.garment_finder import GarmentFinder, start_from_classifier
from inference.networks.garment_net import normalise
from inference.training import reviews
from inference.training.detection.batches import Batch, Scenes, make_batches
from inference.training.detection.config import FinderConfig
from inference.training.detection.guesses import guess_outfits
from inference.training.detection.held_out import held_out, hold_out
from inference.training.detection.losses import edges_loss, heat_loss, segments_loss
from inference.training.detection.measure import measure_finder, say_finder
from inference.training.detection.scenes import read_flat_lays, read_outfits, read_products
from inference.training.detection.targets import encode
from inference.training.negatives import cut_backgrounds

Say = Callable[[str], None]

_SAVE_SECONDS = 120
_SAY_SECONDS = 10
_MOST_UNSAID = 20
"""Steps between two lines of a slow run; asking a fast device more often would hold it up."""
_LONGEST_GRADIENT = 10.0


def train_finder(
    config: FinderConfig,
    *,
    data: Path,
    out: Path,
    resume: bool,
    say: Say,
    start: Path | None = None,
) -> Path:
    """Train on `data`'s train files; returns the averaged weights' file in `out`.

    `start` is another run's file: a finder's, or a classifier's, of which stem and trunk are taken.
    With `resume`, goes on from `out`'s last checkpoint, if there is one.
    Raises FileNotFoundError for a missing data file.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    # Threads inside OpenCV cost more than they bring on pictures this small.
    cv2.setNumThreads(1)
    run = _Run(config, read_scenes(config, data, say, out=out), out=out, say=say)
    if start:
        run.begin_with(start)
    if resume:
        run.load()
    run.go()
    weights_file = run.export()
    if config.hold_out:
        say_finder(measure_finder(run.averaged(), held_out(out)), say)
    return weights_file


def read_scenes(config: FinderConfig, data: Path, say: Say, *, out: Path) -> Scenes:
    limit, workers = config.limit, config.workers
    outfits = data / "ccp-train.parquet"
    if config.hold_out:
        outfits = hold_out(outfits, count=config.hold_out, out=out)
    scenes = Scenes(
        outfits=read_outfits(outfits, limit=limit, workers=workers),
        products=read_products(
            data / "fpi-train.parquet",
            per_type=config.products_per_type,
            seed=config.seed,
            limit=limit,
        ),
        flat_lays=read_flat_lays(data / "clothing-train.parquet", limit=limit, workers=workers),
        grounds=cut_backgrounds(outfits, seed=config.seed, limit=limit),
        guesses=guess_outfits(config.teacher, outfits, limit=limit) if config.guesses else [],
    )
    if (data / reviews.FILE).exists():
        reviewed = reviews.read_scenes(data / reviews.FILE, limit=limit)
        scenes.flat_lays.extend(reviewed)
        say(f"{len(reviewed)} photos with the boxes of reviewers")
    say(
        f"{len(scenes.outfits)} outfits, {len(scenes.products)} products, "
        f"{len(scenes.flat_lays)} flat-lays, {len(scenes.grounds)} grounds, "
        f"{len(scenes.guesses)} guesses"
    )
    return scenes


class _Run:
    def __init__(self, config: FinderConfig, scenes: Scenes, *, out: Path, say: Say) -> None:
        self._config = config
        self._scenes = scenes
        self._out = out
        self._say = say
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._net = GarmentFinder()
        self._net.to(self._device).to(memory_format=torch.channels_last)
        self._average = _copy(self._net)
        for part in self._frozen():
            part.requires_grad_(False)
        on_cuda = self._device.type == "cuda"
        # bfloat16 has float32's range: its gradients need no scaling.
        self._short = on_cuda and torch.cuda.is_bf16_supported()
        # Views of one stage have one size, for which the fastest convolutions are worth seeking.
        torch.backends.cudnn.benchmark = on_cuda
        self._optimiser = torch.optim.AdamW(
            _parameter_groups(self._net, config), fused=on_cuda or None
        )
        self._done = 0
        self._saved = time.monotonic()

    @property
    def _checkpoint(self) -> Path:
        return self._out / "checkpoint.pt"

    def _frozen(self) -> list[nn.Module]:
        """What stays as it came, its running means too."""
        blocks = self._config.frozen_blocks
        return [self._net.stem, *self._net.trunk[:blocks]] if blocks else []

    def go(self) -> None:
        parameters = sum(p.numel() for p in self._net.parameters())
        self._say(f"{self._config.steps} steps on {self._device.type}, {parameters:,} parameters")
        self._net.train()
        for part in self._frozen():
            part.eval()
        followed = [v for v in self._net.state_dict().values() if v.dtype.is_floating_point]
        losses, unsaid, started = torch.zeros(3, device=self._device), 0, time.monotonic()
        for batch in make_batches(self._config, self._scenes, first=self._done):
            losses += self._step(batch)
            self._follow(followed)
            self._done += 1
            unsaid += 1
            spent = time.monotonic() - started
            slow = self._device.type == "cpu" and unsaid == _MOST_UNSAID
            if slow or spent > _SAY_SECONDS or self._done == self._config.steps:
                pace = unsaid * self._config.batch_size / (time.monotonic() - started)
                self._say_losses((losses / unsaid).tolist(), pace)
                losses, unsaid, started = torch.zeros_like(losses), 0, time.monotonic()
            if time.monotonic() - self._saved > _SAVE_SECONDS:
                self.save()
                self.export()
        self.save()

    def _say_losses(self, losses: list[float], pace: float) -> None:
        heat, edges, segments = losses
        config, step = self._config, self._done - 1
        size = config.size_at(step)
        self._say(
            f"step {self._done}/{config.steps} {size[0]}x{size[1]} "
            f"heat {heat:.3f} edges {edges:.3f} segments {segments:.3f} "
            f"{pace:.1f} photos/s lr {config.learning_rate * config.rate_at(step):.6f}"
        )

    def _step(self, batch: Batch) -> Tensor:
        """The three losses before weighting, on the device."""
        config, device = self._config, self._device
        factor = config.rate_at(self._done)
        for group in self._optimiser.param_groups:
            group["lr"] = group["base"] * factor
        size = (batch.images.shape[2], batch.images.shape[3])
        images, boxes, details, segments = (
            part.to(device, non_blocking=True)
            for part in (batch.images, batch.boxes, batch.details, batch.segments)
        )
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self._short):
            maps = self._net(normalise(images).contiguous(memory_format=torch.channels_last))
        targets = encode(boxes, details, size=size)
        heat = heat_loss(maps.heat.float(), targets.heat)
        edges = edges_loss(maps.edges.float(), details, targets)
        pixels = segments_loss(maps.segments.float(), segments.long())
        loss = heat + config.edges_weight * edges + config.segments_weight * pixels
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._net.parameters(), _LONGEST_GRADIENT)
        self._optimiser.step()
        return torch.stack([heat, edges, pixels]).detach()

    @torch.no_grad()
    def _follow(self, tensors: list[Tensor]) -> None:
        """Move the averaged weights towards the present ones, faster at the start."""
        decay = min(self._config.average_decay, (1 + self._done) / (10 + self._done))
        torch._foreach_lerp_(list(self._average.values()), tensors, 1 - decay)

    def begin_with(self, weights_file: Path) -> None:
        tensors = weights.widen(load_file(weights_file, device=str(self._device)))
        if set(tensors) == set(self._net.state_dict()):
            self._net.load_state_dict(tensors)
        else:
            taken = start_from_classifier(self._net, tensors)
            self._say(f"took {taken} tensors of the classifier")
        self._average = _copy(self._net)

    def save(self) -> None:
        state = {
            "net": self._net.state_dict(),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "done": self._done,
        }
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._checkpoint)
        self._saved = time.monotonic()

    def load(self) -> None:
        if not self._checkpoint.exists():
            return
        # Our own file of a moment ago, and tensors only: what ships is safetensors.
        state = torch.load(self._checkpoint, map_location=self._device, weights_only=True)
        self._net.load_state_dict(state["net"])
        self._average = state["average"]
        self._optimiser.load_state_dict(state["optimiser"])
        self._done = state["done"]
        self._say(f"resumed at step {self._done}")

    def averaged(self) -> GarmentFinder:
        """What ships, in evaluation mode."""
        net = GarmentFinder()
        net.load_state_dict({**self._net.state_dict(), **self._average})
        return net.to(self._device).to(memory_format=torch.channels_last).eval()

    def export(self) -> Path:
        """The averaged weights as safetensors, float32."""
        path = self._out / f"{self._config.name}.safetensors"
        partial = path.with_suffix(".partial")
        tensors = {k: v.contiguous().cpu() for k, v in self.averaged().state_dict().items()}
        save_file(tensors, partial, metadata={"training": json.dumps({"steps": self._done})})
        partial.replace(path)
        return path


def _copy(net: GarmentFinder) -> dict[str, Tensor]:
    """Its numbers, without what only counts."""
    tensors = net.state_dict().items()
    return {k: v.detach().clone() for k, v in tensors if v.dtype.is_floating_point}


def _parameter_groups(net: GarmentFinder, config: FinderConfig) -> list[dict[str, object]]:
    """The trained trunk learns slower; weight decay for filters, none for biases and norms."""
    groups: list[dict[str, object]] = []
    for trained in (True, False):
        for filters in (True, False):
            rate = config.learning_rate * (config.trunk_rate if trained else 1.0)
            groups.append(
                {
                    "params": [
                        p
                        for name, p in net.named_parameters()
                        if p.requires_grad
                        and name.startswith(("stem.", "trunk.")) is trained
                        and (p.ndim > 1) is filters
                    ],
                    "lr": rate,
                    "base": rate,
                    "weight_decay": config.weight_decay if filters else 0.0,
                }
            )
    return groups
