"""`python -m inference.training.average ONE OTHER --out FOLDER`: the mean of two runs' weights.

Where OTHER went on from ONE, the mean keeps most of what either does better (Wortsman et al.,
Robust fine-tuning of zero-shot models, CVPR 2022). The encoders of words beside them are joined
likewise.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from inference.specs import BadWeights
from inference.training.evaluation.model import read_tensors
from inference.training.loop import WORDS_FILE


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the mean of two runs' weights.")
    parser.add_argument("one", type=Path, help="a run's or a published version's weights")
    parser.add_argument("other", type=Path, help="those of the run that went on from them")
    parser.add_argument("--out", type=Path, required=True, help="folder for the mean")
    options = parser.parse_args()
    try:
        path = average(options.one, options.other, out=options.out)
    except BadWeights as error:
        parser.exit(1, f"{error}\n")
    print(f"weights: {path}")


def average(one: Path, other: Path, *, out: Path) -> Path:
    """The mean's file in `out`, named as `other`. Raises BadWeights."""
    if out.resolve() in (one.resolve().parent, other.resolve().parent):
        raise BadWeights(f"{out} holds the weights themselves: choose another folder.")
    means = {other.name: _mean(one, other)}
    words = [file.with_name(WORDS_FILE) for file in (one, other)]
    if all(file.exists() for file in words):
        means[WORDS_FILE] = _mean(*words)
    out.mkdir(parents=True, exist_ok=True)
    for name, tensors in means.items():
        save_file(tensors, out / name)
    return out / other.name


def _mean(one: Path, other: Path) -> dict[str, Tensor]:
    """Temperatures are 1: they are fitted when the mean is published."""
    first, second = read_tensors(one), read_tensors(other)
    shapes = [{name: t.shape for name, t in tensors.items()} for tensors in (first, second)]
    if shapes[0] != shapes[1]:
        raise BadWeights(f"{one} and {other} are not weights of one network.")
    return {
        name: torch.ones_like(tensor)
        if "temperature" in name
        else first[name].lerp(tensor, 0.5)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in second.items()
    }


if __name__ == "__main__":
    main()
