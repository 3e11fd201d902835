"""Turn a training run's weights into the files that ship: calibrated, described, half precision."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from inference import specs, taxonomy, weights
from inference.postprocess import CATEGORY_FLOOR
from inference.specs import WeightsSpec
from inference.training.calibration import (
    HeadAnswers,
    check,
    choose_floor,
    choose_least,
    fit,
    shares,
)
from inference.training.evaluation.answers import CATEGORY, COLOUR
from inference.training.evaluation.asking import show
from inference.training.evaluation.metrics import collect_heads
from inference.training.evaluation.model import ask, read_run
from inference.training.evaluation.photos import read_photos
from inference.training.evaluation.report import Say
from inference.training.loop import WORDS_FILE
from kalas.lib.malloc import tune_allocator

WANTED = 0.85
"""How often an attribute that is said should be right; it decides the keys' floors."""

HOPELESS = 0.3
"""A photo is called unreadable where its object type would be right less often."""

_SOURCE = "trained from random weights by `manage.py train` on the data below"
_LICENCE = "Apache-2.0"
_DATA = (
    "Fashion Product Images (small), P. Aggarwal, Kaggle: MIT",
    "Clothing dataset, A. Grigorev and contributors: CC0",
    "Clothing Co-Parsing, Yang, Luo, Lin, CVPR 2014: Apache-2.0",
)


def publish(
    run: Path,
    *,
    version: str,
    size: tuple[int, int],
    files: list[Path],
    finder: str = "",
    text: str = "",
    mirrored: bool = False,
    store: Path = specs.STORE,
    say: Say,
) -> WeightsSpec:
    """Store a run's network, and its words' encoder if it has one, as that version of kalas-mini.

    `text` is a stored encoder in its place: of a version whose vectors the run's are to the bit.
    Temperatures and floors are fitted on half of the files' photos. Raises BadWeights, UnknownFile.
    """
    model = read_run(run, texts=None, size=size, device="cpu", mirrored=mirrored)
    photos = [photo for path in files for photo in read_photos(path).photos]
    heads = collect_heads(photos, ask(model, show(photos, size)))
    temperatures = fit(heads)
    for name, temperature in temperatures.items():
        before, after = check(heads[name], temperature)
        say(
            f"{name}: temperature {temperature:.4f}; calibration error on the other half "
            f"{before:.4f} before, {after:.4f} after"
        )
    floors = {
        key: choose_floor(heads[key], temperatures[key], wanted=WANTED)
        for key, _ in model.spec.attributes
    }
    floors[CATEGORY_FLOOR] = choose_least(
        _sum_up(heads[CATEGORY], temperatures[CATEGORY], model.spec.labels), 1.0, hopeless=HOPELESS
    )
    say("floors: " + ", ".join(f"{name} {floor:g}" for name, floor in floors.items()))
    spec = replace(
        model.spec,
        name="kalas-mini",
        version=version,
        floors=floors,
        finder=finder,
        text=text
        or _publish_words(run.with_name(WORDS_FILE), version=version, store=store, say=say),
        source=_SOURCE,
        licence=_LICENCE,
        data=_DATA,
        folder=store,
    )
    tensors = safetensors.torch.load_file(run) | _as_tensors(temperatures, spec)
    _store(spec, tensors, say)
    return spec


def _sum_up(head: HeadAnswers, temperature: float, labels: Sequence[str]) -> HeadAnswers:
    """What the categories' answers say of object types; being no garment is one of them."""
    names = taxonomy.load()
    types = [
        "" if label == names.abstention else names.category(label).object_type for label in labels
    ]
    member = np.array([[each == name for name in sorted(set(types))] for each in types])
    summed = shares(head.logits, temperature=temperature) @ member.astype(np.float32)
    return HeadAnswers(head.ids, np.log(summed), head.accepts @ member)


def _publish_words(path: Path, *, version: str, store: Path, say: Say) -> str:
    """The choice of the stored encoder; empty where the run has none."""
    if not path.exists():
        return ""
    spec = WeightsSpec(
        name="kalas-words",
        version=version,
        architecture="text-net",
        taxonomy=taxonomy.load().version,
        sha256="",
        source=_SOURCE,
        licence=_LICENCE,
        data=_DATA,
        folder=store,
    )
    _store(spec, safetensors.torch.load_file(path), say)
    return spec.choice


def _store(spec: WeightsSpec, tensors: Mapping[str, Tensor], say: Say) -> None:
    halves = {k: v.half() if v.is_floating_point() and v.ndim else v for k, v in tensors.items()}
    spec.path.write_bytes(safetensors.torch.save(halves))
    weights.write_sidecar(spec)
    say(f"{spec.path}: {spec.path.stat().st_size:,} bytes")


def _as_tensors(temperatures: Mapping[str, float], spec: WeightsSpec) -> dict[str, Tensor]:
    """As GarmentNet keeps them: the attribute keys' repeated for each of their values."""
    each = [temperatures[key] for key, values in spec.attributes for _ in values]
    return {
        "temperature": torch.tensor(temperatures[CATEGORY]),
        "colour_temperature": torch.tensor(temperatures[COLOUR]),
        "attribute_temperatures": torch.tensor(each),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Calibrate and store a training run's weights.")
    parser.add_argument("run", type=Path, help="the run's .safetensors; its words lie beside it")
    parser.add_argument("files", type=Path, nargs="+", help="validation files to calibrate on")
    parser.add_argument("--version", required=True)
    parser.add_argument("--size", type=int, nargs=2, required=True, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--finder", default="", help="the model that finds the garments for it")
    parser.add_argument("--text", default="", help="the stored words' encoder, if not the run's")
    parser.add_argument(
        "--mirrored", action="store_true", help="answer by the mean of a crop and its mirror image"
    )
    parser.add_argument("--store", type=Path, default=specs.STORE)
    options = parser.parse_args()
    tune_allocator()
    publish(
        options.run,
        version=options.version,
        size=tuple(options.size),
        files=options.files,
        finder=options.finder,
        text=options.text,
        mirrored=options.mirrored,
        store=options.store,
        say=print,
    )


if __name__ == "__main__":
    main()
