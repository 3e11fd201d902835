"""A model card in Markdown from an evaluation; every number comes from its JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.specs import WeightsSpec
from inference.training.evaluation.metrics import STRICT_ERROR

Evaluation = Mapping[str, Any]

_CONFUSIONS = 20
_WEAK_LABELS = 15
_FEWEST = 10
"""Photos below which a label's share says too little to be called weak."""


@dataclass(frozen=True, slots=True)
class Goal:
    data_set: str
    key: str
    least: float
    aim: float
    lower: bool = False
    """Whether less is better."""
    beside: str = ""
    """Another number's key, which puts this one in its place."""


GOALS = (
    Goal("fpi", "category top-1", 0.91, 0.95, beside="category top-1, one right answer"),
    Goal("fpi", "category top-5", 0.992, 0.998),
    Goal("fpi", "garment or not", 0.985, 0.995),
    Goal("fpi", "gender: accuracy", 0.91, 0.95),
    Goal("fpi", "measured colour family, 11 basic", 0.78, 0.88, beside="colour family, 11 basic"),
    Goal("fpi", "pattern macro-F1", 0.70, 0.85),
    Goal("clothing", "ten classes: accuracy", 0.90, 0.94),
    Goal("clothing", "category top-1", 0.78, 0.87),
    Goal("ccp", "mAP@0.5", 0.60, 0.85),
    Goal("ccp", "mAP@[.5:.95]", 0.35, 0.60),
    Goal("fpi", "words → photo: hit rate@10", 0.45, 0.70),
    Goal(
        "fpi",
        "photo → same type and colour: P@10 of what there is",
        0.75,
        0.85,
        beside="photo → same type and colour: P@10",
    ),
    Goal("fpi", "self-retrieval: R@1", 0.90, 0.98),
    Goal("fpi", "category: calibration error", 0.05, 0.02, lower=True, beside=STRICT_ERROR),
    Goal("clothing", "category: calibration error", 0.05, 0.02, lower=True, beside=STRICT_ERROR),
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Files beside the card, as the card names them."""

    charts: Mapping[str, str]
    """Title → path."""
    sheets: Mapping[str, str]


def write_card(
    evaluation: Evaluation,
    spec: WeightsSpec,
    *,
    prose: str,
    notes: str,
    configs: Sequence[Path],
    pictures: Pictures,
) -> str:
    """`prose` holds the words between the tables: each {name} in it is one of the parts below.

    `configs` are paths from the project's root; `notes` are what a person wrote about this version.
    """
    parts = {
        "title": f"{spec.name} {spec.version}",
        "facts": _facts(evaluation, spec),
        "data": "\n".join(f"- {data}" for data in spec.data),
        "configs": "\n".join(f"- [{path.name}](../../{path.as_posix()})" for path in configs),
        "notes": notes.strip(),
        "goals": _goals(evaluation),
        "types": _types(evaluation),
        "calibration": _calibration(evaluation),
        "charts": _show(pictures.charts),
        "confusions": _confusions(evaluation),
        "labels": _labels(evaluation),
        "sheets": _show(pictures.sheets),
        "left_out": _left_out(evaluation),
        "metrics": _all_metrics(evaluation),
        "files": " ".join(f"../shared/data/{file['name']}.parquet" for file in evaluation["files"]),
        "choice": spec.choice,
        "card": f"{spec.name}-{spec.version}",
    }
    return prose.format(**parts)


def say_number(metric: Mapping[str, Any] | None) -> str:
    if metric is None:
        return "–"
    between = f" [{metric['low']:.3f}, {metric['high']:.3f}]" if metric["interval"] else ""
    return f"{metric['value']:.3f}{between}"


def _facts(evaluation: Evaluation, spec: WeightsSpec) -> str:
    height, width = spec.input_size
    values = spec.attribute_values
    rows = [
        (
            "Answers",
            f"{len(spec.labels) - 1} categories of {spec.taxonomy} or not a garment, "
            f"{len(spec.attributes)} attribute keys with {values} values, "
            f"{len(spec.colour_families)} colour families, a vector of 256 numbers",
        ),
        (
            "Network",
            f"residual, widths {', '.join(map(str, spec.widths))}, "
            f"depths {', '.join(map(str, spec.depths))}; sees {height}×{width} pixels"
            + (" and their mirror image" if spec.mirrored else ""),
        ),
        ("Garments found by", spec.finder or "the foreground of the photo"),
        ("Words read by", spec.text or "nothing"),
        ("Weights", f"`{spec.path.name}`, sha256 `{evaluation['model']['sha256']}`"),
        ("Source", spec.source),
        ("Licence", spec.licence),
        ("Measured with", f"{evaluation['model']['runtime']}, seed {evaluation['seed']}"),
    ]
    return _table(("", ""), [(name, said) for name, said in rows if said])


def _goals(evaluation: Evaluation) -> str:
    rows = []
    for goal in GOALS:
        ways = _ways(evaluation, goal.data_set)
        metrics = {way: result["metrics"].get(goal.key) for way, result in ways.items()}
        if any(metrics.values()):
            count = next(m["count"] for m in metrics.values() if m)
            rows.append(
                (
                    goal.data_set,
                    goal.key + _say_beside(ways, goal.beside),
                    str(count),
                    _judge(metrics.get("whole"), goal),
                    _judge(metrics.get("served"), goal),
                    f"{goal.least:g}",
                    f"{goal.aim:g}",
                )
            )
    heads = ("data", "number", "of", "whole photo", "as served", "at least", "aim")
    return _table(heads, rows)


def _say_beside(ways: Mapping[str, Mapping[str, Any]], key: str) -> str:
    """The other number, once, with what is said of it."""
    metric = next((r["metrics"][key] for r in ways.values() if key in r["metrics"]), None)
    if metric is None:
        return ""
    note = metric.get("note", "")
    return f"; {key} {say_number(metric)}" + (f" ({note})" if note else "")


def _judge(metric: Mapping[str, Any] | None, goal: Goal) -> str:
    """Bold where the aim is reached, marked where not even the least is."""
    if metric is None:
        return "–"
    sign = -1 if goal.lower else 1
    said = say_number(metric)
    if sign * metric["value"] >= sign * goal.aim:
        return f"**{said}**"
    return said if sign * metric["value"] >= sign * goal.least else f"{said} ✗"


def _types(evaluation: Evaluation) -> str:
    rows = [
        (row["kind"], row["key"], row["way"], str(row["count"]), say_number(row))
        for row in evaluation["types"]
    ]
    return _table(("type of photo", "number", "asked", "of", ""), rows)


def _calibration(evaluation: Evaluation) -> str:
    rows = []
    for file, way, result in _results(evaluation):
        for head, bins in result["reliability"].items():
            found = result["metrics"].get(f"{head}: calibration error")
            adaptive = result["metrics"].get(f"{head}: adaptive calibration error")
            count = str(sum(b["count"] for b in bins))
            rows.append((file, way, head, count, say_number(found), say_number(adaptive)))
    heads = ("file", "asked", "head", "of", "15 equal bins", "15 full bins")
    return _table(heads, rows)


def _confusions(evaluation: Evaluation) -> str:
    """The most frequent wrong answers, over all files, asked as whole photos."""
    counts: dict[tuple[str, str], int] = {}
    totals: dict[str, int] = {}
    for _, way, result in _results(evaluation):
        if way != "whole":
            continue
        for right, answers in result["confusion"].items():
            totals[right] = totals.get(right, 0) + sum(answers.values())
            for said, count in answers.items():
                if said != right:
                    counts[right, said] = counts.get((right, said), 0) + count
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_CONFUSIONS]
    rows = [(r, said, str(count), str(totals[r])) for (r, said), count in most]
    return _table(("right", "answer", "photos", "of"), rows)


def _labels(evaluation: Evaluation) -> str:
    rows = []
    for file, way, result in _results(evaluation):
        if way == "whole":
            rows += [
                (label["right"] / label["photos"], file, label)
                for label in result["labels"]
                if label["photos"] >= _FEWEST
            ]
    rows.sort(key=lambda row: row[0])
    return _table(
        ("file", "label", "right", "most frequent answers"),
        [
            (
                file,
                label["label"],
                f"{label['right']} of {label['photos']}",
                ", ".join(f"{n or 'not found'} {c}" for n, c in list(label["answers"].items())[:4]),
            )
            for _, file, label in rows[:_WEAK_LABELS]
        ],
    )


def _left_out(evaluation: Evaluation) -> str:
    rows = []
    for file in evaluation["files"]:
        most = sorted(file["left_out"].items(), key=lambda item: -item[1])
        rows += [(file["name"], reason, str(count)) for reason, count in most]
    return _table(("file", "label and reason", "photos"), rows)


def _all_metrics(evaluation: Evaluation) -> str:
    tables = []
    for file in evaluation["files"]:
        ways = file["ways"]
        keys = dict.fromkeys(key for way in ways.values() for key in way["metrics"])
        rows = []
        for key in keys:
            found = {way: result["metrics"].get(key) for way, result in ways.items()}
            first = next(metric for metric in found.values() if metric)
            numbers = [say_number(found.get(way)) for way in ("whole", "served")]
            rows.append((key, str(first["count"]), *numbers, first.get("note", "")))
        heads = ("number", "of", "whole photo", "as served", "")
        tables.append(f"### {file['name']}\n\n{_table(heads, rows)}")
    return "\n\n".join(tables)


def _show(pictures: Mapping[str, str]) -> str:
    return "\n".join(f"![{title}]({path})" for title, path in pictures.items())


def _results(evaluation: Evaluation) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for file in evaluation["files"]:
        for way, result in file["ways"].items():
            yield file["name"], way, result


def _ways(evaluation: Evaluation, data_set: str) -> Mapping[str, Mapping[str, Any]]:
    for file in evaluation["files"]:
        if file["data_set"] == data_set:
            ways: Mapping[str, Mapping[str, Any]] = file["ways"]
            return ways
    return {}


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "Nothing."
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '∣') for cell in line)} |" for line in lines)
