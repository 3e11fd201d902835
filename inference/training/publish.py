"""Turn a training run's weights into the file that ships: calibrated, in half precision."""

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from inference import registry
from inference.specs import WeightsSpec
from inference.training.calibration import check, fit
from inference.training.evaluation.answers import CATEGORY, COLOUR
from inference.training.evaluation.asking import show
from inference.training.evaluation.metrics import collect_heads
from inference.training.evaluation.model import ask, read_run
from inference.training.evaluation.photos import read_photos
from inference.training.evaluation.report import Say
from kalas.lib.malloc import tune_allocator


def publish(weights: Path, *, files: list[Path], out: Path, say: Say) -> str:
    """Write `out` with temperatures fitted on half of the files' photos; returns its sha256."""
    size = registry.spec("kalas-mini").input_size
    model = read_run(weights, texts=None, size=size, device="cpu")
    photos = [photo for path in files for photo in read_photos(path).photos]
    heads = collect_heads(photos, ask(model, show(photos, size)))
    temperatures = fit(heads)
    for name, temperature in temperatures.items():
        before, after = check(heads[name], temperature)
        say(
            f"{name}: temperature {temperature:.4f}; calibration error on the other half "
            f"{before:.4f} before, {after:.4f} after"
        )
    tensors = safetensors.torch.load_file(weights) | _as_tensors(temperatures, model.spec)
    halves = {k: v.half() if v.is_floating_point() and v.ndim else v for k, v in tensors.items()}
    data = safetensors.torch.save(halves)
    out.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    say(f"{out}: {len(data):,} bytes, sha256 {digest}")
    return digest


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
    parser.add_argument("weights", type=Path, help="the run's .safetensors")
    parser.add_argument("files", type=Path, nargs="+", help="validation files to calibrate on")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    tune_allocator()
    publish(options.weights, files=options.files, out=options.out, say=print)


if __name__ == "__main__":
    main()
