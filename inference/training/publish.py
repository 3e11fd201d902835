"""Turn a training run's weights into the file that ships: calibrated, in half precision."""

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from inference import registry
from inference.training.evaluate import Answers, Say, answer, join, read_network
from inference.training.measure import calibration_error, fit_temperature
from inference.training.samples import read_samples
from kalas.lib.malloc import tune_allocator


@dataclass(frozen=True, slots=True)
class Calibration:
    temperature: float
    error_before: float
    error_after: float
    """Both measured on the half that the temperature was not fitted to."""


def publish(weights: Path, *, files: list[Path], out: Path, say: Say) -> str:
    """Write `out` with the temperature fitted on half of the files' photos; returns its sha256."""
    network = read_network(weights)
    size = registry.spec("kalas-mini").input_size
    answers = [answer(network, read_samples(f, shrink=False).samples, size=size) for f in files]
    found = calibrate(join(answers))
    say(
        f"temperature {found.temperature:.4f}; calibration error on the other half "
        f"{found.error_before:.4f} before, {found.error_after:.4f} after"
    )
    tensors = safetensors.torch.load_file(weights)
    tensors["temperature"] = torch.tensor(found.temperature)
    halves = {k: v.half() if v.is_floating_point() and v.ndim else v for k, v in tensors.items()}
    data = safetensors.torch.save(halves)
    out.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    say(f"{out}: {len(data):,} bytes, sha256 {digest}")
    return digest


def calibrate(answers: Answers) -> Calibration:
    """Fit on a fixed random half of the samples, measure on the other."""
    fit = _half(len(answers.samples))
    temperature = fit_temperature(answers.logits[fit], answers.accepts[fit])
    rest_logits, rest_accepts = answers.logits[~fit], answers.accepts[~fit]
    return Calibration(
        temperature=temperature,
        error_before=calibration_error(rest_logits, rest_accepts),
        error_after=calibration_error(rest_logits, rest_accepts, temperature=temperature),
    )


def _half(count: int) -> NDArray[np.bool_]:
    return np.asarray(np.random.default_rng(0).permutation(count) % 2 == 0)


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
