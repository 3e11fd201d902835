"""How good a model is on parquet files with the columns of the data sets."""

import argparse
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from inference import specs, taxonomy
from inference.contract import InvalidImage
from inference.pipeline import Pipeline
from inference.runtime import choose_device, open_model
from inference.training.evaluation.asking import WAYS, Asked, Questions, evaluate_photos
from inference.training.evaluation.compare import NotComparable, compare, say_difference
from inference.training.evaluation.model import read_run
from inference.training.evaluation.outfits import evaluate_outfits
from inference.training.evaluation.photos import recognise_file
from inference.training.evaluation.report import (
    FileResult,
    Say,
    describe_file,
    describe_types,
    say_file,
    say_types,
)
from inference.training.samples import UnknownFile
from kalas.lib.malloc import tune_allocator

FORMAT = 2
REFUSED = (UnknownFile, InvalidImage, specs.UnknownModel, specs.BadWeights, NotComparable, OSError)
"""What a wrong file or name raises."""


def evaluate(
    asked: Asked, files: list[Path], *, questions: Questions, say: Say
) -> list[FileResult]:
    """Raises UnknownFile, InvalidImage, OSError."""
    kinds = [recognise_file(path) for path in files]
    return [
        (evaluate_outfits if kind == "ccp" else evaluate_photos)(
            path, asked=asked, questions=questions, say=say
        )
        for kind, path in zip(kinds, files, strict=True)
    ]


def describe(asked: Asked, files: list[FileResult], questions: Questions) -> dict[str, Any]:
    """The whole evaluation as JSON values."""
    spec = asked.model.spec
    return {
        "format": FORMAT,
        "model": {
            "name": spec.name,
            "version": spec.version,
            "sha256": spec.sha256,
            "taxonomy": spec.taxonomy,
            "input_size": list(spec.input_size),
            "floors": spec.floors,
            "runtime": asked.model.runtime,
            "finder": spec.finder,
        },
        "taxonomy": taxonomy.load().version,
        "seed": questions.seed,
        "limit": questions.limit,
        "files": [describe_file(file) for file in files],
        "types": describe_types(files),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="*", help="parquet files, e.g. fpi-val.parquet")
    parser.add_argument("--json", type=Path, help="write every number there too")
    parser.add_argument("--model", default="kalas-mini", help="name or name@version")
    parser.add_argument("--weights", type=Path, help="instead: a training run's .safetensors")
    parser.add_argument("--texts", type=Path, help="the run's text encoder, if it has one")
    parser.add_argument("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument(
        "--mirrored", action="store_true", help="the run sees each crop and its mirror image"
    )
    parser.add_argument(
        "--cache", type=Path, help="folder of ONNX exports; without it torch computes"
    )
    parser.add_argument("--limit", type=int, default=0, help="at most that many photos a file")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seed", type=int, default=Questions().seed)
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        metavar="EVAL.json",
        help="an earlier evaluation to compare with; two to compare them with each other",
    )


def run(options: argparse.Namespace, say: Say) -> None:
    """Raises one of REFUSED."""
    earlier = [read_evaluation(path) for path in options.compare or ()]
    if not options.files and len(earlier) < 2:
        raise UnknownFile("Name files to measure, or two evaluations to compare.")
    if options.json and not options.json.absolute().parent.is_dir():
        # Rather now than after minutes of measuring.
        raise FileNotFoundError(f"There is no folder {options.json.parent}.")
    if options.files:
        tune_allocator()
        questions = Questions(tuple(options.ways), options.limit, options.seed)
        asked = read_asked(options)
        files = evaluate(asked, options.files, questions=questions, say=say)
        for file in files:
            say_file(file, say)
        content = describe(asked, files, questions)
        say_types(content["types"], say)
        if options.json:
            options.json.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
        earlier.append(content)
    for before, after in pairwise(earlier):
        say(f"\n== from {_name(before)} to {_name(after)}")
        for difference in compare(before, after):
            say(say_difference(difference))


def read_asked(options: argparse.Namespace) -> Asked:
    """Raises UnknownModel, BadWeights."""
    device = choose_device()
    size = tuple(options.size) if options.size else None
    if options.weights:
        usual = specs.find(options.model)
        model = read_run(
            options.weights,
            texts=options.texts,
            size=size or usual.input_size,
            device=device,
            mirrored=options.mirrored,
        )
    else:
        # An export is of one size only.
        model = open_model(options.model, device=device, cache=None if size else options.cache)
        if size:
            model = replace(model, spec=replace(model.spec, input_size=size))
    decoders = ThreadPoolExecutor(os.cpu_count())
    return Asked(model, Pipeline(model, decoders=decoders))


def read_evaluation(path: Path) -> dict[str, Any]:
    """What `--json` wrote. Raises NotComparable, OSError."""
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise NotComparable(f"{path.name} is no JSON.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise NotComparable(f"{path.name} is no evaluation of format {FORMAT}.")
    return content


def _name(content: dict[str, Any]) -> str:
    return f"{content['model']['name']} {content['model']['version']}"
