"""The card of a model says what its evaluation measured."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from inference import specs
from inference.tests.photos import encode, paint
from inference.training.calibration import reliability
from inference.training.evaluate import FORMAT
from inference.training.evaluation.card import Pictures, write_card
from inference.training.evaluation.charts import draw_reliability
from inference.training.evaluation.packing import pack
from inference.training.evaluation.sheets import find_mistakes
from inference.training.model_card import list_configs

BINS = [asdict(b) for b in reliability(np.array([0.95, 0.9, 0.3]), np.array([True, False, False]))]
SHIPPED = "kalas-mini@6"


def make_evaluation() -> dict[str, Any]:
    spec = specs.find(SHIPPED)
    top1 = {"value": 0.3333, "low": 0.062, "high": 0.792, "count": 3, "interval": "wilson"}
    way = {
        "metrics": {"category top-1": top1, "category: calibration error": top1},
        "reliability": {"category": BINS},
        "labels": [
            {"label": "Tops", "photos": 12, "right": 4, "answers": {"t-shirt": 8, "top": 4}}
        ],
        "confusion": {"top": {"t-shirt": 8, "top": 4}},
        "photos": {
            "ids": ["fpi-0", "fpi-1", "fpi-2"],
            "said": ["t-shirt", "jeans", "dress"],
            "confidence": [0.4, 0.8, 0.9],
            "scores": {"category top-1": pack(np.array([0.0, 0.0, 1.0]))},
        },
    }
    return {
        "format": FORMAT,
        "model": {
            "name": spec.name,
            "version": spec.version,
            "sha256": spec.sha256,
            "runtime": "torch",
        },
        "seed": 7,
        "files": [
            {
                "name": "fpi-val",
                "data_set": "fpi",
                "photos": 3,
                "left_out": {"Free Gifts: anything": 1},
                "ways": {"whole": way},
            }
        ],
        "types": [{"way": "whole", "kind": "catalogue", "key": "category top-1"} | top1],
    }


def write_evaluation(folder: Path, evaluation: dict[str, Any]) -> Path:
    path = folder / "eval.json"
    path.write_text(json.dumps(evaluation))
    rows = [
        {
            "id": i,
            "image": encode(paint(size=(80, 60))),
            "article_type": "Tops",
            "base_colour": "Red",
            "display_name": "Red Top",
        }
        for i in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "fpi-val.parquet")
    return path


def test_writes_a_card_with_charts_and_pictures(tmp_path):
    path = write_evaluation(tmp_path, make_evaluation())
    (tmp_path / "kalas-mini-6").mkdir()
    (tmp_path / "kalas-mini-6" / "notes.md").write_text("Trained on a rainy day.")

    call_command("model_card", str(path), data=tmp_path, out=tmp_path)

    card = (tmp_path / "kalas-mini-6.md").read_text()
    assert "| fpi | category top-1 | 3 | 0.333 [0.062, 0.792] ✗ | – | 0.91 | 0.95 |" in card
    assert "| top | t-shirt | 8 | 12 |" in card
    assert "Free Gifts: anything" in card
    assert "Trained on a rainy day." in card
    for picture in re.findall(r"!\[[^]]*]\(([^)]*)\)", card):
        assert (tmp_path / picture).exists()
    with Image.open(tmp_path / "kalas-mini-6" / "fpi-mistakes.jpg") as sheet:
        assert sheet.width > 100


def test_a_goal_shows_the_number_that_puts_it_in_its_place():
    evaluation = make_evaluation()
    metrics = evaluation["files"][0]["ways"]["whole"]["metrics"]
    metrics["category top-1, one right answer"] = metrics["category top-1"] | {"note": "fewer"}

    card = write_card(
        evaluation,
        specs.find(SHIPPED),
        prose="{goals}",
        notes="",
        configs=[],
        pictures=Pictures({}, {}),
    )

    assert "category top-1; category top-1, one right answer 0.333 [0.062, 0.792] (fewer)" in card


def test_names_the_configurations_wherever_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = specs.find(SHIPPED)

    names = [path.name for path in list_configs(spec)]

    assert names[0] == "kalas-mini-6.toml"
    assert names[-3:] == [
        "garment-finder-fine.toml",
        "garment-finder-long.toml",
        "garment-finder.toml",
    ]
    root = Path(__file__).resolve().parents[2]
    assert all((root / path).exists() for path in list_configs(spec))


def test_refuses_an_evaluation_of_other_weights(tmp_path):
    evaluation = make_evaluation()
    evaluation["model"]["sha256"] = "0" * 64
    path = write_evaluation(tmp_path, evaluation)

    with pytest.raises(CommandError, match="other weights") as refused:
        call_command("model_card", str(path), out=tmp_path)

    assert refused.value.returncode == 2


def test_shows_the_surest_mistakes_first():
    way = make_evaluation()["files"][0]["ways"]["whole"]
    labels = dict.fromkeys(["fpi-0", "fpi-1", "fpi-2"], "Tops")

    assert [m.id for m in find_mistakes(way, labels)] == ["fpi-1", "fpi-0"]


def test_draws_a_bar_for_each_bin():
    svg = draw_reliability(BINS, title="category <whole>")

    root = ElementTree.fromstring(svg)  # noqa: S314 - our own chart of a moment ago
    bars = [rect for rect in root.iter() if len(rect) and rect.tag.endswith("rect")]
    assert len(bars) == len(BINS)
    assert root.attrib["aria-label"] == "category <whole>"
