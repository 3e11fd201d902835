"""`python -m inference.training.train`: the training run without Django."""

import argparse
from pathlib import Path

from inference.specs import BadWeights
from inference.training.config import read_config
from inference.training.detection.config import is_finder
from inference.training.detection.config import read_config as read_finder_config
from inference.training.detection.loop import train_finder
from inference.training.loop import Say, train
from inference.training.rows import add_rows, is_rows
from inference.training.rows import read_config as read_rows_config
from kalas.lib.malloc import tune_allocator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="a file of training/configs")
    parser.add_argument("--data", type=Path, required=True, help="folder with *-train.parquet")
    parser.add_argument("--out", type=Path, required=True, help="checkpoints and weights go here")
    parser.add_argument("--start", type=Path, help="begin with these weights, not random ones")
    parser.add_argument(
        "--teacher",
        type=Path,
        action="append",
        default=[],
        help="a run's weights whose answers are learnt beside the labels; may be given again",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a model from random weights.")
    add_arguments(parser)
    run(parser.parse_args(), lambda line: print(line, flush=True))


def run(options: argparse.Namespace, say: Say) -> None:
    tune_allocator()
    path = _train(options, say)
    say(f"weights: {path}")


def _train(options: argparse.Namespace, say: Say) -> Path:
    """The weights' file of whichever network the configuration trains."""
    if is_finder(options.config):
        return train_finder(
            read_finder_config(options.config),
            data=options.data,
            out=options.out,
            resume=options.resume,
            say=say,
            start=options.start,
        )
    if is_rows(options.config):
        if options.start is None:
            raise BadWeights("New rows need a published network: name it with --start.")
        return add_rows(
            read_rows_config(options.config),
            data=options.data,
            out=options.out,
            start=options.start,
            say=say,
        )
    return train(
        read_config(options.config),
        data=options.data,
        out=options.out,
        resume=options.resume,
        say=say,
        start=options.start,
        teachers=options.teacher,
    )


if __name__ == "__main__":
    main()
