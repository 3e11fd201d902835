"""An evaluation as the tables of a deliverable: Markdown, a table for each question."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inference import taxonomy
from inference.etryon import mallzee

FORMAT = "etryon-1"
_DETECTION = ("AP", "AP50", "AP75", "AR@1", "AR@10", "AR@100")
_LABELS = ("exact match", "binary accuracy", "F1 micro", "F1 macro", "meanIR", "SCUMBLE")


@dataclass(frozen=True, slots=True)
class Row:
    """How well one category is told."""

    name: str
    photos: int
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def write(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a report on what `evaluate --json` or `evaluate_etryon --json` wrote."""
    if evaluation["format"] == FORMAT:
        yield from write_stages(evaluation)
        return
    model = evaluation["model"]
    yield f"# {model['name']} {model['version']}"
    yield ""
    yield f"Taxonomy {evaluation['taxonomy']}, weights {model['sha256'][:12]}."
    for file in evaluation["files"]:
        for way, result in file["ways"].items():
            yield ""
            yield f"## {file['name']}, {way}: {file['photos']} photos"
            yield from write_metrics(result["metrics"])
            if result.get("confusion"):
                yield from write_categories(result["confusion"], find_object=_find_object)


def write_stages(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """A table for each stage and file."""
    yield f"# {evaluation['model']}"
    for file in evaluation["files"]:
        if found := file.get("detection"):
            yield ""
            yield f"## {file['name']}, detection: {found['photos']} photos"
            yield ""
            yield f"| object | garments | {' | '.join(_DETECTION)} |"
            yield f"|---|---:|{'---:|' * len(_DETECTION)}"
            for kind, numbers in found["objects"].items():
                row = " | ".join(f"{numbers[name]:.3f}" for name in _DETECTION)
                yield f"| {kind} | {numbers['garments']} | {row} |"
        if named := file.get("category"):
            yield ""
            yield f"## {file['name']}, category: {named['photos']} photos"
            yield ""
            yield "| accuracy | top-3 | top-5 |"
            yield "|---:|---:|---:|"
            yield f"| {named['accuracy']:.3f} | {named['top-3']:.3f} | {named['top-5']:.3f} |"
            yield from write_categories(named["confusion"], find_object=_find_class)
        if told := file.get("attributes"):
            yield ""
            yield f"## {file['name']}, attributes: {told['photos']} photos"
            yield ""
            yield f"| {' | '.join(_LABELS)} |"
            yield f"|{'---:|' * len(_LABELS)}"
            yield f"| {' | '.join(f'{told[name]:.3f}' for name in _LABELS)} |"
            yield ""
            yield "| key | value | photos | precision | recall | F1 |"
            yield "|---|---|---:|---:|---:|---:|"
            for label, numbers in told["labels"].items():
                key, _, word = label.partition(": ")
                yield _write_row(key, Row(word, *numbers))


def write_metrics(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield ""
    yield "| metric | value | 95 % interval | photos |"
    yield "|---|---:|---|---:|"
    for name, metric in metrics.items():
        low, high = metric.get("low"), metric.get("high")
        interval = f"{low:.3f} – {high:.3f}" if metric.get("interval") and low is not None else ""
        yield f"| {name} | {metric['value']:.3f} | {interval} | {metric['count']} |"


def write_categories(
    confusion: Mapping[str, Mapping[str, int]], *, find_object: Callable[[str], str]
) -> Iterator[str]:
    """Precision, recall and F1 of each category, object by object, with their means."""
    rows = list_rows(confusion)
    objects: dict[str, list[Row]] = {}
    for row in rows:
        objects.setdefault(find_object(row.name), []).append(row)
    yield ""
    yield "| object | category | photos | precision | recall | F1 |"
    yield "|---|---|---:|---:|---:|---:|"
    for kind, some in sorted(objects.items()):
        for row in sorted(some, key=lambda row: -row.photos):
            yield _write_row(kind, row)
    total = sum(row.photos for row in rows)
    right = sum(confusion[row.name].get(row.name, 0) for row in rows)
    yield f"| all | accuracy (micro F1) | {total} | | | {right / max(total, 1):.3f} |"
    for name, weights in (
        ("macro mean", [1.0] * len(rows)),
        ("weighted mean", [float(row.photos) for row in rows]),
    ):
        means = [
            sum(w * value for w, value in zip(weights, values, strict=True)) / (sum(weights) or 1)
            for values in (
                [row.precision for row in rows],
                [row.recall for row in rows],
                [row.f1 for row in rows],
            )
        ]
        yield f"| all | {name} | {total} | {' | '.join(f'{mean:.3f}' for mean in means)} |"


def list_rows(confusion: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """Of each category that photos show, from category → answer → photos."""
    said: Counter[str] = Counter()
    for answers in confusion.values():
        said.update(answers)
    return [
        Row(
            name=name,
            photos=sum(answers.values()),
            precision=answers.get(name, 0) / said[name] if said[name] else 0.0,
            recall=answers.get(name, 0) / sum(answers.values()),
        )
        for name, answers in confusion.items()
        if answers
    ]


def _find_object(name: str) -> str:
    known = taxonomy.load()
    return "none" if name == known.abstention else known.category(name).object_type


def _find_class(name: str) -> str:
    return mallzee.find_object(name)


def _write_row(kind: str, row: Row) -> str:
    numbers = " | ".join(f"{value:.3f}" for value in (row.precision, row.recall, row.f1))
    return f"| {kind} | {row.name} | {row.photos} | {numbers} |"
