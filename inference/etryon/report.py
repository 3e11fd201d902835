"""An evaluation as the tables of a deliverable: Markdown, a table for each question."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inference import taxonomy


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
    """The lines of a report on what `evaluate --json` wrote."""
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
                yield from write_categories(result["confusion"])


def write_metrics(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield ""
    yield "| metric | value | 95 % interval | photos |"
    yield "|---|---:|---|---:|"
    for name, metric in metrics.items():
        low, high = metric.get("low"), metric.get("high")
        interval = f"{low:.3f} – {high:.3f}" if metric.get("interval") and low is not None else ""
        yield f"| {name} | {metric['value']:.3f} | {interval} | {metric['count']} |"


def write_categories(confusion: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Precision, recall and F1 of each category, object by object, with their means."""
    known = taxonomy.load()
    rows = list_rows(confusion)
    objects: dict[str, list[Row]] = {}
    for row in rows:
        kind: str = "none" if row.name == known.abstention else known.category(row.name).object_type
        objects.setdefault(kind, []).append(row)
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


def _write_row(kind: str, row: Row) -> str:
    numbers = " | ".join(f"{value:.3f}" for value in (row.precision, row.recall, row.f1))
    return f"| {kind} | {row.name} | {row.photos} | {numbers} |"
