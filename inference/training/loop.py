"""The training loop: resumable, the same result with and without an interruption."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from inference import taxonomy, weights
from inference.networks.garment_net import EMBEDDING_SIZE, normalise
from inference.networks.text_net import TextNet
from inference.registry import build_untrained
from inference.training.batches import Batch, TrainingSet
from inference.training.config import TrainConfig
from inference.training.losses import accepted_loss, attribute_loss, contrast_loss, known_loss
from inference.training.negatives import cut_backgrounds, make_negatives
from inference.training.samples import read_outfits, read_samples

Say = Callable[[str], None]

WORDS_FILE = "kalas-words.safetensors"
"""The text encoder's weights, beside those of the photos' network."""

_TEXTS = "texts."
_FIRST_SCALE = 14.0
_LARGEST_SCALE = 50.0
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
) -> Path:
    """Train on `data`'s train files; returns the averaged weights' file in `out`.

    Begins with random weights, or with those of `start`, another run's file. With `resume`, goes
    on from `out`'s last checkpoint, if there is one.
    Raises FileNotFoundError for a missing data file.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    # Threads inside OpenCV cost more than they bring on pictures this small.
    cv2.setNumThreads(1)
    training_set, articles = _prepare(config, data, say)
    run = _Run(config, training_set, articles=len(articles), out=out, say=say)
    if start:
        run.begin_with(start)
    if resume:
        run.load()
    run.go()
    return run.export()


def _prepare(config: TrainConfig, data: Path, say: Say) -> tuple[TrainingSet, list[str]]:
    fpi = read_samples(data / "fpi-train.parquet", limit=config.limit)
    say(f"fpi: {len(fpi.samples)} photos, {fpi.left_out.total()} left out")
    clothing = read_samples(data / "clothing-train.parquet", limit=config.limit)
    say(f"clothing: {len(clothing.samples)} photos, {clothing.left_out.total()} left out")
    backgrounds = cut_backgrounds(data / "ccp-train.parquet", seed=config.seed, limit=config.limit)
    say(f"ccp: {len(backgrounds)} backgrounds")
    negatives = make_negatives(backgrounds, seed=config.seed, count=config.negative_photos)
    outfits = read_outfits(data / "ccp-train.parquet", limit=config.limit)
    say(f"ccp: {len(outfits)} garments cut from outfits")
    samples = [*fpi.samples, *clothing.samples, *outfits, *negatives]
    repeats = [
        *[1.0] * len(fpi.samples),
        *[float(config.clothing_repeats)] * len(clothing.samples),
        *[float(config.outfit_repeats)] * len(outfits),
        *[1.0] * len(negatives),
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


class _Extras(nn.Module):
    """What only training needs."""

    def __init__(self, articles: int) -> None:
        super().__init__()
        self.article = nn.Linear(EMBEDDING_SIZE, articles)
        self.scale = nn.Parameter(torch.tensor(_FIRST_SCALE).log())
        """The logarithm of the contrast's inverse temperature."""


class _Run:
    def __init__(
        self, config: TrainConfig, training_set: TrainingSet, *, articles: int, out: Path, say: Say
    ) -> None:
        self._config = config
        self._set = training_set
        self._out = out
        self._say = say
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._net = build_untrained(config.name)
        self._net.to(self._device).to(memory_format=torch.channels_last)
        self._texts = TextNet().to(self._device)
        self._extras = _Extras(articles).to(self._device)
        self._keys = tuple(len(values) for _, values in taxonomy.load().attribute_order)
        self._average = {k: v.detach().clone() for k, v in self._shipped().items()}
        self._optimiser = torch.optim.SGD(
            _parameter_groups([self._net, self._texts, self._extras], config.weight_decay),
            lr=config.learning_rate,
            momentum=0.9,
            nesterov=True,
        )
        self._scaler = torch.amp.GradScaler(enabled=self._device.type == "cuda")
        self._at = _Progress()
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
        while self._at.epoch < self._config.epochs:
            self._go_through_epoch()
            self._at = _Progress(epoch=self._at.epoch + 1, done=self._at.done)
            self.save()
            self.export()

    def _go_through_epoch(self) -> None:
        config, at = self._config, self._at
        self._net.train()
        started, losses, right, seen = time.monotonic(), 0.0, 0.0, 0
        for batch in self._set.batches(
            epoch=at.epoch,
            sizes=config.sizes_at(at.epoch),
            batch_size=config.batch_size,
            first=at.step,
        ):
            loss, hits = self._step(batch)
            losses, right, seen = losses + loss, right + hits, seen + len(batch.images)
            at.step += 1
            at.done += 1
            if at.step % _SAY_STEPS == 0 or at.step == self._epoch_steps:
                pace = seen / (time.monotonic() - started)
                self._say(
                    f"epoch {at.epoch + 1}/{config.epochs} "
                    f"step {at.step}/{self._epoch_steps} "
                    f"loss {losses * config.batch_size / seen:.3f} "
                    f"right {right / seen:.3f} {pace:.0f} photos/s "
                    f"lr {self._optimiser.param_groups[0]['lr']:.4f}"
                )
                started, losses, right, seen = time.monotonic(), 0.0, 0.0, 0
            if time.monotonic() - self._saved > _SAVE_SECONDS:
                self.save()

    def _step(self, batch: Batch) -> tuple[float, float]:
        config = self._config
        for group in self._optimiser.param_groups:
            group["lr"] = config.learning_rate * schedule(
                self._at.done / (self._epoch_steps * config.epochs),
                warm_up=config.warm_up,
                cool_down=config.cool_down,
            )
        accepts = batch.accepts.to(self._device)
        with torch.autocast(self._device.type, enabled=self._device.type == "cuda"):
            features, tints = self._net.see(normalise(batch.images.to(self._device)))
            texts = self._texts(batch.words.to(self._device), batch.weights.to(self._device))
            logits = self._net.category(features).float()
            loss = accepted_loss(
                logits,
                accepts,
                self._to(batch.plain),
                plain_weight=config.plain_weight,
                smoothing=config.label_smoothing,
            )
            article = known_loss(self._extras.article(features).float(), self._to(batch.article))
            colour = known_loss(self._net.colour(tints).float(), self._to(batch.colour))
            said = attribute_loss(
                self._net.attributes(features).float(), self._to(batch.attributes), self._keys
            )
            contrast = contrast_loss(
                functional.normalize(features[batch.described].float(), dim=1),
                texts.float(),
                self._to(batch.same),
                scale=self._extras.scale.exp().clamp(max=_LARGEST_SCALE),
            )
            loss = (
                loss
                + config.auxiliary_weight * article
                + config.attribute_weight * (colour + said)
                + config.text_weight * contrast
            )
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._follow()
        hits = accepts.gather(1, logits.argmax(dim=1, keepdim=True)).sum().item()
        return loss.item(), hits

    def _to(self, labels: Tensor) -> Tensor:
        return labels.to(self._device)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights towards the present ones, faster at the start."""
        decay = min(self._config.average_decay, (1 + self._at.done) / (10 + self._at.done))
        for name, value in self._shipped().items():
            if value.dtype.is_floating_point:
                self._average[name].lerp_(value, 1 - decay)
            else:
                self._average[name].copy_(value)

    def _shipped(self) -> dict[str, Tensor]:
        """Both networks' tensors, the text encoder's with a prefix."""
        texts = {f"{_TEXTS}{k}": v for k, v in self._texts.state_dict().items()}
        return {**self._net.state_dict(), **texts}

    def begin_with(self, weights_file: Path) -> None:
        """Take over every tensor that fits; a head of other answers starts anew."""
        tensors = weights.widen(load_file(weights_file, device=str(self._device)))
        words = weights_file.with_name(WORDS_FILE)
        if words.exists():
            tensors |= {f"{_TEXTS}{k}": v for k, v in weights.widen(load_file(words)).items()}
        present = self._shipped()
        fitting = {k: v for k, v in tensors.items() if k in present and v.shape == present[k].shape}
        for name in sorted(present.keys() - fitting.keys()):
            self._say(f"{name} starts anew")
        self._load({**present, **fitting})
        self._average = {k: v.detach().clone() for k, v in self._shipped().items()}

    def _load(self, tensors: dict[str, Tensor]) -> None:
        texts = {k.removeprefix(_TEXTS): v for k, v in tensors.items() if k.startswith(_TEXTS)}
        self._texts.load_state_dict(texts)
        self._net.load_state_dict({k: v for k, v in tensors.items() if not k.startswith(_TEXTS)})

    def save(self) -> None:
        state = {
            "shipped": self._shipped(),
            "extras": self._extras.state_dict(),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "at": (self._at.epoch, self._at.step, self._at.done),
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
        self._load(state["shipped"])
        self._extras.load_state_dict(state["extras"])
        self._average = state["average"]
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        self._at = _Progress(*state["at"])
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


def schedule(share: float, *, warm_up: float, cool_down: float) -> float:
    """The learning rate's factor when `share` (0 to 1) of all steps is done.

    Constant between the ends, so that a run can be led to its end from any point of its middle.
    """
    if share < warm_up:
        return 0.02 + 0.98 * share / warm_up
    return min(1.0, (1 - share) / cool_down) if cool_down else 1.0


def _parameter_groups(modules: list[nn.Module], weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and filters, none for biases and norms."""
    parameters = [p for module in modules for p in module.parameters()]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
