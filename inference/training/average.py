"""`python -m inference.training.average ONE OTHER … --out FOLDER`: the mean of runs' weights.

Where the others went on from the first, the mean keeps most of what each does better (Wortsman et
al., Model soups, ICML 2022; Robust fine-tuning of zero-shot models, CVPR 2022). The encoders of
words beside them are joined likewise.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from inference.specs import BadWeights
from inference.training.evaluation.model import read_tensors
from inference.training.loop import WORDS_FILE


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the mean of runs' weights.")
    parser.add_argument("one", type=Path, help="a run's or a published version's weights")
    parser.add_argument(
        "others",
        type=Path,
        nargs="+",
        metavar="other",
        help="those of runs that went on from them; what is given twice counts twice",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the mean")
    options = parser.parse_args()
    try:
        path = average([options.one, *options.others], out=options.out)
    except BadWeights as error:
        parser.exit(1, f"{error}\n")
    print(f"weights: {path}")


def average(files: Sequence[Path], *, out: Path) -> Path:
    """The mean's file in `out`, named as the last of `files`. Raises BadWeights."""
    if out.resolve() in (file.resolve().parent for file in files):
        raise BadWeights(f"{out} holds the weights themselves: choose another folder.")
    last = files[-1].name
    means = {last: _mean(files)}
    words = [file.with_name(WORDS_FILE) for file in files]
    if all(file.exists() for file in words):
        means[WORDS_FILE] = _mean(words)
    out.mkdir(parents=True, exist_ok=True)
    for name, tensors in means.items():
        save_file(tensors, out / name)
    return out / last


def _mean(files: Sequence[Path]) -> dict[str, Tensor]:
    """Temperatures are 1: they are fitted when the mean is published."""
    every = [read_tensors(file) for file in files]
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in every]
    for file, its_shapes in zip(files, shapes, strict=True):
        if its_shapes != shapes[0]:
            raise BadWeights(f"{files[0]} and {file} are not weights of one network.")
    return {
        name: torch.ones_like(tensor)
        if "temperature" in name
        else torch.stack([each[name] for each in every]).mean(dim=0)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in every[-1].items()
    }


if __name__ == "__main__":
    main()
