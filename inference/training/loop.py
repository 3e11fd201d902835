"""The training loop: resumable, the same result with and without an interruption."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from inference import specs, taxonomy, weights
from inference.networks.text_net import TextNet
from inference.registry import build_untrained
from inference.training import reviews
from inference.training.batches import Batch, Plan, TrainingSet
from inference.training.config import TrainConfig
from inference.training.lessons import ALIKE_SCALE, AttributeKeys, Extras, Lessons, Outcome
from inference.training.negatives import cut_backgrounds, make_negatives
from inference.training.repeats import repeat_clothing
from inference.training.samples import read_outfits, read_samples
from inference.training.teachers import Teachers

Say = Callable[[str], None]

WORDS_FILE = "kalas-words.safetensors"
"""The text encoder's weights, beside those of the photos' network."""

_TEXTS = "texts."
_LARGEST_SCALE = 50.0
_WORDS_DECAY = 0.01
_SAVE_SECONDS = 120
_SAY_STEPS = 50


def train(
    config: TrainConfig,
    *,
    data: Path,
    out: Path,
    resume: bool,
    say: Say,
    start: Path | None = None,
    teachers: Sequence[Path] = (),
) -> Path:
    """Train on `data`'s train files; returns the averaged weights' file in `out`.

    Begins with random weights, or with those of `start`: another run's safetensors file, or its
    checkpoint, with which that run goes on under another configuration. With `resume`, goes on
    from `out`'s last checkpoint, if there is one. `teachers` are other runs' safetensors files.
    Raises FileNotFoundError for a missing data file, BadWeights.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    # Threads inside OpenCV cost more than they bring on pictures this small.
    cv2.setNumThreads(1)
    torch.backends.cudnn.benchmark = True
    training_set, articles = _prepare(config, data, say)
    run = _Run(config, training_set, articles=len(articles), teachers=teachers, out=out, say=say)
    if start:
        run.begin_with(start)
    if resume:
        run.load()
    run.go()
    return run.export()


def _prepare(config: TrainConfig, data: Path, say: Say) -> tuple[TrainingSet, list[str]]:
    fpi = read_samples(data / "fpi-train.parquet", limit=config.limit, workers=config.workers)
    say(f"fpi: {len(fpi.samples)} photos, {fpi.left_out.total()} left out")
    clothing = read_samples(
        data / "clothing-train.parquet", limit=config.limit, workers=config.workers
    )
    say(f"clothing: {len(clothing.samples)} photos, {clothing.left_out.total()} left out")
    backgrounds = cut_backgrounds(data / "ccp-train.parquet", seed=config.seed, limit=config.limit)
    say(f"ccp: {len(backgrounds)} backgrounds")
    negatives = make_negatives(backgrounds, seed=config.seed, count=config.negative_photos)
    outfits = read_outfits(data / "ccp-train.parquet", limit=config.limit)
    say(f"ccp: {len(outfits)} garments cut from outfits")
    reviewed = []
    if (data / reviews.FILE).exists():
        reviewed = reviews.read_garments(data / reviews.FILE, limit=config.limit)
        say(f"reviews: {len(reviewed)} garments")
    samples = [*fpi.samples, *clothing.samples, *outfits, *negatives, *reviewed]
    repeats = [
        *[config.repeats.get(sample.article, 1.0) for sample in fpi.samples],
        *repeat_clothing(config, [sample.label for sample in clothing.samples]),
        *[config.outfit_repeats] * len(outfits),
        *[1.0] * len(negatives),
        *[config.clothing_repeats] * len(reviewed),
    ]
    articles = sorted({sample.article for sample in fpi.samples})
    training_set = TrainingSet(
        samples, repeats=repeats, articles=articles, backgrounds=backgrounds, seed=config.seed
    )
    return training_set, articles


@dataclass(slots=True)
class _Progress:
    epoch: int = 0
    step: int = 0
    """Steps done in this epoch."""
    done: int = 0
    """Steps done in all."""


class _Run:
    def __init__(
        self,
        config: TrainConfig,
        training_set: TrainingSet,
        *,
        articles: int,
        teachers: Sequence[Path],
        out: Path,
        say: Say,
    ) -> None:
        self._config = config
        self._set = training_set
        self._out = out
        self._say = say
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._short, scaled = _choose_short_numbers(config, self._device)
        self._net = build_untrained(config.name, widths=config.widths)
        self._net.to(self._device).to(memory_format=torch.channels_last)
        self._texts = TextNet().to(self._device)
        self._extras = Extras(articles, scale=config.contrast_scale).to(self._device)
        keys = AttributeKeys(config, training_set, self._device)
        self._lessons = Lessons(
            config,
            net=self._net,
            texts=self._texts,
            extras=self._extras,
            keys=keys,
            teachers=Teachers(teachers, keys=keys.sizes, scale=ALIKE_SCALE, device=self._device),
            device=self._device,
        )
        self._average = {k: v.detach().clone() for k, v in self._shipped().items()}
        self._optimisers: list[torch.optim.Optimizer] = [
            torch.optim.SGD(
                _parameter_groups([self._net, self._extras], config.weight_decay),
                lr=config.learning_rate[0],
                momentum=0.9,
                nesterov=True,
            ),
            # Most rows of the table get a gradient rarely, and then a small one.
            torch.optim.AdamW(
                self._texts.parameters(), lr=config.words_rate, weight_decay=_WORDS_DECAY
            ),
        ]
        self._first_rates = [optimiser.param_groups[0]["lr"] for optimiser in self._optimisers]
        self._scaler = torch.amp.GradScaler(enabled=scaled)
        self._at = _Progress()
        self._before = 0
        """Steps of the run with whose checkpoint this one began."""
        self._epoch_steps = training_set.steps(batch_size=config.batch_size)
        self._saved = time.monotonic()

    @property
    def _checkpoint(self) -> Path:
        return self._out / "checkpoint.pt"

    def go(self) -> None:
        self._say(
            f"{self._config.epochs} epochs of {self._epoch_steps} steps on {self._device.type}, "
            f"{sum(p.numel() for p in self._net.parameters()):,} parameters"
        )
        config, at = self._config, self._at
        self._net.train()
        plan = Plan(config.size, config.batch_size, config.twice, config.bank, config.changes)
        started, seen = time.monotonic(), 0
        # Kept where they were computed: asking for a number waits for all that was asked before.
        losses, right = torch.zeros(2, device=self._device)
        for batch in self._set.batches(
            plan, epochs=config.epochs, first=at.done, workers=config.workers
        ):
            outcome = self._step(batch)
            losses += outcome.loss.detach() * len(batch.images)
            right += outcome.right
            seen += len(batch.images)
            at.step += 1
            at.done += 1
            if at.step % _SAY_STEPS == 0 or at.step == self._epoch_steps:
                self._say(
                    f"epoch {at.epoch + 1}/{config.epochs} "
                    f"step {at.step}/{self._epoch_steps} "
                    f"loss {losses.item() / seen:.3f} "
                    f"right {right.item() / seen:.3f} "
                    f"{seen / (time.monotonic() - started):.0f} photos/s "
                    f"lr {self._optimisers[0].param_groups[0]['lr']:.4f}"
                )
                started, seen = time.monotonic(), 0
                losses, right = torch.zeros(2, device=self._device)
            if at.step == self._epoch_steps:
                at.epoch, at.step = at.epoch + 1, 0
            if time.monotonic() - self._saved > _SAVE_SECONDS:
                self.save()
                self.export()
        self.save()

    def _step(self, batch: Batch) -> Outcome:
        share = self._at.done / (self._epoch_steps * self._config.epochs)
        factor = schedule(share, warm_up=self._config.warm_up, rates=self._config.learning_rate)
        for optimiser, rate in zip(self._optimisers, self._first_rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
        with self._short:
            outcome = self._lessons.teach(batch)
        for optimiser in self._optimisers:
            optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(outcome.loss))
        for optimiser in self._optimisers:
            self._scaler.step(optimiser)
        self._scaler.update()
        with torch.no_grad():
            self._extras.scale.clamp_(max=math.log(_LARGEST_SCALE))
        self._follow()
        return outcome

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights towards the present ones, faster at the start."""
        done = self._before + self._at.done
        decay = min(self._config.average_decay, (1 + done) / (10 + done))
        present = self._shipped()
        moving = [name for name, value in present.items() if value.dtype.is_floating_point]
        follow = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        follow([self._average[name] for name in moving], [present[name] for name in moving], 0)
        for name in present.keys() - set(moving):
            self._average[name].copy_(present[name])

    def _shipped(self) -> dict[str, Tensor]:
        """Both networks' tensors, the text encoder's with a prefix."""
        texts = {f"{_TEXTS}{k}": v for k, v in self._texts.state_dict().items()}
        return {**self._net.state_dict(), **texts}

    def begin_with(self, start: Path) -> None:
        """Take over every tensor that fits; a head of other answers starts anew."""
        if start.suffix == ".pt":
            state = _read_checkpoint(start, self._device)
            self._load(self._keep_fitting(state["shipped"], self._shipped()))
            extras = self._keep_fitting(state["extras"], self._extras.state_dict())
            self._extras.load_state_dict(extras)
            self._average = self._keep_fitting(state["average"], self._shipped())
            self._before = state["before"] + state["at"][2]
            self._forget_temperatures()
            return
        tensors = weights.widen(load_file(start, device=str(self._device)))
        if (described := start.with_suffix(".toml")).exists():
            self._place_categories(tensors, specs.read(described).labels)
        words = start.with_name(WORDS_FILE)
        if words.exists():
            tensors |= {f"{_TEXTS}{k}": v for k, v in weights.widen(load_file(words)).items()}
        self._load(self._keep_fitting(tensors, self._shipped()))
        self._average = {k: v.detach().clone() for k, v in self._shipped().items()}
        self._forget_temperatures()

    def _place_categories(self, tensors: dict[str, Tensor], labels: Sequence[str]) -> None:
        """Put the head's rows where the taxonomy has their labels now; those of new ones begin."""
        order = taxonomy.load().label_order
        known = [i for i, label in enumerate(order) if label in labels]
        from_rows = [labels.index(order[i]) for i in known]
        for name, present in self._net.category.state_dict(prefix="category.").items():
            rows = present.clone()
            rows[known] = tensors[name][from_rows]
            tensors[name] = rows
        for label in sorted(set(order) - set(labels)):
            self._say(f"category {label} starts anew")

    def _forget_temperatures(self) -> None:
        """Published weights have some; those of a run are fitted when it is published."""
        for tensors in (self._average, self._net.state_dict()):
            for name, tensor in tensors.items():
                if "temperature" in name:
                    tensor.fill_(1.0)

    def _keep_fitting(
        self, tensors: dict[str, Tensor], present: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        fitting = {k: v for k, v in tensors.items() if k in present and v.shape == present[k].shape}
        for name in sorted(present.keys() - fitting.keys()):
            self._say(f"{name} starts anew")
        return {k: fitting.get(k, v).detach().clone() for k, v in present.items()}

    def _load(self, tensors: dict[str, Tensor]) -> None:
        texts = {k.removeprefix(_TEXTS): v for k, v in tensors.items() if k.startswith(_TEXTS)}
        self._texts.load_state_dict(texts)
        self._net.load_state_dict({k: v for k, v in tensors.items() if not k.startswith(_TEXTS)})

    def save(self) -> None:
        state = {
            "shipped": self._shipped(),
            "extras": self._extras.state_dict(),
            "average": self._average,
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "scaler": self._scaler.state_dict(),
            "at": (self._at.epoch, self._at.step, self._at.done),
            "before": self._before,
        }
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._checkpoint)
        self._saved = time.monotonic()

    def load(self) -> None:
        if not self._checkpoint.exists():
            return
        state = _read_checkpoint(self._checkpoint, self._device)
        self._load(state["shipped"])
        self._extras.load_state_dict(state["extras"])
        self._average = state["average"]
        for optimiser, its_state in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(its_state)
        self._scaler.load_state_dict(state["scaler"])
        self._at = _Progress(*state["at"])
        self._before = state["before"]
        self._say(f"resumed at epoch {self._at.epoch + 1}, step {self._at.step}")

    def export(self) -> Path:
        """The averaged weights as safetensors, float32: the photos' network, the words' beside it.

        Returns the first one's path.
        """
        tensors = {k: v.contiguous().cpu() for k, v in self._average.items()}
        path = self._out / f"{self._config.name}.safetensors"
        self._write(path, {k: v for k, v in tensors.items() if not k.startswith(_TEXTS)})
        words = {k.removeprefix(_TEXTS): v for k, v in tensors.items() if k.startswith(_TEXTS)}
        self._write(self._out / WORDS_FILE, words)
        return path

    def _write(self, path: Path, tensors: dict[str, Tensor]) -> None:
        partial = path.with_suffix(".partial")
        epochs = json.dumps({"epochs": self._at.epoch})
        save_file(tensors, partial, metadata={"training": epochs})
        partial.replace(path)


def _choose_short_numbers(config: TrainConfig, device: torch.device) -> tuple[torch.autocast, bool]:
    """What the forward pass computes in, and whether its gradients need scaling for that.

    On CUDA bfloat16, or half precision where the card has none; on a CPU where it is asked for.
    """
    if device.type != "cuda":
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.bfloat16), False
    half = not torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast("cuda", dtype=torch.float16 if half else torch.bfloat16), half


def schedule(share: float, *, warm_up: float, rates: tuple[float, float]) -> float:
    """The learning rate's factor when `share` (0 to 1) of all steps is done.

    The rates lie on a line, so that a run that ends where another begins goes on with it.
    """
    first, last = rates
    factor = 1 + share * (last / first - 1)
    return factor * min(1.0, 0.02 + 0.98 * share / warm_up) if warm_up else factor


def _read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Our own file of a moment ago, and tensors only: what ships is safetensors."""
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def _parameter_groups(modules: list[nn.Module], weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and filters, none for biases and norms."""
    parameters = [p for module in modules for p in module.parameters()]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
