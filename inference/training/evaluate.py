"""How good a model is on parquet files with the columns of the data sets."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from inference import registry, taxonomy, weights
from inference.networks.garment_net import GarmentNet, normalise
from inference.preprocess import resize_crop, whole
from inference.training.measure import (
    Bools,
    Floats,
    Share,
    calibration_error,
    count_hits,
)
from inference.training.negatives import cut_backgrounds, make_negatives
from inference.training.samples import (
    NONE,
    Reading,
    Sample,
    accepts_matrix,
    read_columns,
    read_samples,
    recognise,
)
from kalas.lib.malloc import tune_allocator

Say = Callable[[str], None]

_BATCH = 64
_NEGATIVE_SEED = 7
_NEGATIVES = 300


@dataclass(frozen=True, slots=True)
class Answers:
    """What the network said about N samples, and what would have been right."""

    samples: list[Sample]
    logits: Floats
    """(N, labels), already divided by the temperature."""
    colour: NDArray[np.int64]
    gender: NDArray[np.int64]
    accepts: Bools


@dataclass(frozen=True, slots=True)
class Row:
    """One label of the data: how often it was answered rightly, and the most frequent answers."""

    label: str
    right: Share
    answers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The measurements over one file, or over all of them together."""

    name: str
    top1: Share
    top5: Share
    garment_or_not: Share
    colour: Share
    gender: Share
    calibration_error: float
    left_out: dict[str, int]
    rows: tuple[Row, ...]


def evaluate(
    network: GarmentNet, files: list[Path], *, size: tuple[int, int], limit: int = 0
) -> list[Result]:
    """One result per file, and one over all files with categories where there are several.

    fpi and clothing files measure categories; a ccp file measures how well pictures without a
    garment (its backgrounds, generated charts and texts) are told from garments.
    Raises samples.UnknownFile, taxonomy.UnknownLabel, InvalidImage.
    """
    parts, results = [], []
    for path in files:
        reading = read_evaluation(path, limit=limit)
        answers = answer(network, reading.samples, size=size)
        results.append(_measure(path.stem, answers, reading.left_out))
        if reading.data_set != "ccp":
            parts.append(answers)
    if len(parts) > 1:
        results.append(_measure("all together", join(parts), Counter()))
    return results


def read_evaluation(path: Path, *, limit: int = 0) -> Reading:
    if recognise(read_columns(path)) != "ccp":
        return read_samples(path, limit=limit, shrink=False)
    backgrounds = cut_backgrounds(path, seed=_NEGATIVE_SEED, limit=limit)
    negatives = make_negatives(backgrounds, seed=_NEGATIVE_SEED, count=limit or _NEGATIVES)
    return Reading("ccp", negatives, Counter())


@torch.inference_mode()
def answer(network: GarmentNet, samples: list[Sample], *, size: tuple[int, int]) -> Answers:
    """Ask about each whole photo."""
    device = next(network.parameters()).device
    logits, colours, genders = [], [], []
    for start in range(0, len(samples), _BATCH):
        views = [
            resize_crop(s.image, whole(s.image), size) for s in samples[start : start + _BATCH]
        ]
        images = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).to(device)
        said = network(normalise(images))
        logits.append(said.category.float().cpu().numpy())
        colours.append(said.colour.argmax(dim=1).cpu().numpy())
        genders.append(said.attributes.argmax(dim=1).cpu().numpy())
    return Answers(
        samples=samples,
        logits=np.concatenate(logits),
        colour=np.concatenate(colours),
        gender=np.concatenate(genders),
        accepts=accepts_matrix(samples),
    )


def join(parts: list[Answers]) -> Answers:
    return Answers(
        samples=[sample for part in parts for sample in part.samples],
        logits=np.concatenate([part.logits for part in parts]),
        colour=np.concatenate([part.colour for part in parts]),
        gender=np.concatenate([part.gender for part in parts]),
        accepts=np.concatenate([part.accepts for part in parts]),
    )


def describe(result: Result) -> dict[str, Any]:
    """The result as JSON values; shares with their intervals."""
    return {
        "name": result.name,
        "category_top1": _describe_share(result.top1),
        "category_top5": _describe_share(result.top5),
        "garment_or_not": _describe_share(result.garment_or_not),
        "colour_family": _describe_share(result.colour),
        "gender": _describe_share(result.gender),
        "expected_calibration_error": result.calibration_error,
        "left_out": result.left_out,
        "labels": [
            {**_describe_share(row.right), "label": row.label, "answers": dict(row.answers)}
            for row in result.rows
        ],
    }


def say_result(result: Result, say: Say) -> None:
    say(f"\n== {result.name}")
    say(f"category top-1     {result.top1}")
    say(f"category top-5     {result.top5}")
    say(f"garment or not     {result.garment_or_not}")
    if result.colour.total:
        say(f"colour family      {result.colour}")
        say(f"gender             {result.gender}")
    say(f"calibration error  {result.calibration_error:.4f}")
    if result.left_out:
        say(f"left out           {sum(result.left_out.values())}")
    say(f"{'label':28} {'photos':>6} {'right':>6}  most frequent answers")
    for row in result.rows:
        answers = ", ".join(f"{name} {count}" for name, count in row.answers[:4])
        say(f"{row.label:28} {row.right.total:6} {row.right.value:6.3f}  {answers}")


def read_network(path: Path | None) -> GarmentNet:
    """The shipped kalas-mini, or a training run's weights of the same architecture."""
    if path is None:
        return registry.build("kalas-mini", device=_device())
    network = registry.build_untrained("kalas-mini")
    network.load_state_dict(weights.widen(safetensors.torch.load_file(path)))
    return registry.prepare(network, device=_device())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Shared by the module and the Django command."""
    parser.add_argument("files", type=Path, nargs="+", help="parquet files, e.g. fpi-val.parquet")
    parser.add_argument("--json", type=Path, help="write every number there too")
    parser.add_argument("--weights", type=Path, help="a training run's .safetensors")
    parser.add_argument("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--limit", type=int, default=0, help="at most that many photos a file")


def run(options: argparse.Namespace, say: Say) -> None:
    tune_allocator()
    size = tuple(options.size) if options.size else registry.spec("kalas-mini").input_size
    network = read_network(options.weights)
    results = evaluate(network, options.files, size=size, limit=options.limit)
    for result in results:
        say_result(result, say)
    if options.json:
        content = {"taxonomy": taxonomy.load().version, "results": [describe(r) for r in results]}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a model on parquet files.")
    add_arguments(parser)
    run(parser.parse_args(), lambda line: print(line, file=sys.stdout, flush=True))


def _measure(name: str, answers: Answers, left_out: Counter[str]) -> Result:
    abstention = len(taxonomy.load().label_order) - 1
    said_nothing = answers.logits.argmax(axis=1) == abstention
    nothing_there = answers.accepts[:, abstention]
    agree = said_nothing == nothing_there
    return Result(
        name=name,
        top1=count_hits(answers.logits, answers.accepts, top=1),
        top5=count_hits(answers.logits, answers.accepts, top=5),
        garment_or_not=Share(int(agree.sum()), len(agree)),
        colour=_share_known(answers.colour, [s.colour for s in answers.samples]),
        gender=_share_known(answers.gender, [s.gender for s in answers.samples]),
        calibration_error=calibration_error(answers.logits, answers.accepts),
        left_out=dict(left_out),
        rows=_rows(answers),
    )


def _share_known(said: NDArray[np.int64], labels: list[int]) -> Share:
    truth = np.array(labels)
    known = truth != NONE
    return Share(int((said[known] == truth[known]).sum()), int(known.sum()))


def _rows(answers: Answers) -> tuple[Row, ...]:
    """The confusion table by the data's own labels, most photos first."""
    order = taxonomy.load().label_order
    best = answers.logits.argmax(axis=1)
    said: dict[str, Counter[str]] = {}
    right: Counter[str] = Counter()
    for index, sample in enumerate(answers.samples):
        said.setdefault(sample.label, Counter())[order[best[index]]] += 1
        right[sample.label] += bool(answers.accepts[index, best[index]])
    rows = [
        Row(label, Share(right[label], counts.total()), tuple(counts.most_common()))
        for label, counts in said.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.right.total, row.label)))


def _describe_share(share: Share) -> dict[str, float | int | list[float] | None]:
    return {
        "value": share.value if share.total else None,
        "interval": list(share.interval),
        "hits": share.hits,
        "total": share.total,
    }


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    main()
