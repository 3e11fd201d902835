"""Writes a model's card, its charts and its contact sheets from an evaluation.

What a person has to say about a version stands in `notes.md` in the folder of its pictures.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from inference import specs
from inference.specs import WeightsSpec
from inference.training.evaluate import read_evaluation
from inference.training.evaluation.card import Evaluation, Pictures, write_card
from inference.training.evaluation.charts import draw_reliability
from inference.training.evaluation.report import Say
from inference.training.evaluation.sheets import draw_sheet

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_PROSE = _HERE / "evaluation" / "card.md"
_CHARTED = ("category", "gender", "pattern")


class WrongModel(ValueError):
    """The evaluation is not one of the weights that the model's description names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("evaluation", type=Path, help="what `evaluate --json` wrote")
    parser.add_argument("--data", type=Path, help="the data folder, for pictures of mistakes")
    parser.add_argument("--out", type=Path, default=Path("docs/models"))


def run(options: argparse.Namespace, say: Say) -> None:
    """Raises NotComparable, WrongModel, UnknownModel, BadWeights, UnknownFile, OSError."""
    evaluation = read_evaluation(options.evaluation)
    model = evaluation["model"]
    spec = specs.find(f"{model['name']}@{model['version']}")
    if spec.sha256 != model["sha256"]:
        raise WrongModel(f"{options.evaluation.name} measured other weights than {spec.choice}.")
    name = f"{spec.name}-{spec.version}"
    pictures = _draw_pictures(evaluation, options.out, name=name, data=options.data)
    notes = options.out / name / "notes.md"
    card = write_card(
        evaluation,
        spec,
        prose=_PROSE.read_text(),
        notes=notes.read_text() if notes.exists() else "",
        configs=list(list_configs(spec)),
        pictures=pictures,
    )
    path = options.out / f"{name}.md"
    path.write_text(card)
    say(f"{path}: {len(card):,} characters")


def list_configs(spec: WeightsSpec) -> Iterator[Path]:
    """The model's own, then its finder's; from the root of the project."""
    finder = spec.finder.partition("@")[0]
    for folder, name in (
        ("configs", f"{spec.name}-{spec.version}"),
        ("detection/configs", finder),
    ):
        for path in sorted((_HERE / folder).glob(f"{name}*.toml") if name else ()):
            yield path.relative_to(_ROOT)


def _draw_pictures(evaluation: Evaluation, out: Path, *, name: str, data: Path | None) -> Pictures:
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    charts, sheets = {}, {}
    for file in evaluation["files"]:
        for way, result in file["ways"].items():
            for head in _CHARTED:
                if head in result["reliability"]:
                    title = f"{head}, {file['name']}, {way}"
                    path = folder / f"{file['data_set']}-{way}-{head}.svg"
                    path.write_text(draw_reliability(result["reliability"][head], title=title))
                    charts[title] = f"{name}/{path.name}"
        photos = data / f"{file['name']}.parquet" if data else None
        if photos and "whole" in file["ways"]:
            path = folder / f"{file['data_set']}-mistakes.jpg"
            path.write_bytes(draw_sheet(file["ways"]["whole"], photos))
            sheets[f"Mistakes on {file['name']}"] = f"{name}/{path.name}"
    return Pictures(charts, sheets)
