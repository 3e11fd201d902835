"""manage.py annotate: the pipeline on files."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from inference import pipeline
from inference.contract import Alternative, AnnotationResult, Box, ModelName
from inference.management.commands.annotate import write_text
from inference.tests.photos import encode, paint
from inference.tests.tiny import make_pipeline

BOX = Box(75, 100, 225, 300)


@pytest.fixture(autouse=True)
def _tiny_model(monkeypatch):
    monkeypatch.setattr(pipeline, "load", lambda model, **options: make_pipeline())


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "red.jpg"
    path.write_bytes(encode(paint(garment=(220, 30, 40), box=BOX)))
    return path


def annotate(*arguments) -> tuple[str, str, int]:
    """What it printed, what it complained about, and its exit status."""
    out, err = StringIO(), StringIO()
    status = 0
    try:
        call_command("annotate", *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as exit_:
        status = int(exit_.code or 0)
    return out.getvalue(), err.getvalue(), status


def test_prints_a_readable_table(photo):
    out, err, status = annotate(photo)

    assert f"{photo}  300 × 400" in out
    assert "Upper body" in out
    assert "T-shirt" in out
    assert "Red 100%" in out
    assert (err, status) == ("", 0)


def test_prints_the_contract_as_json_a_line(photo):
    out, _, _ = annotate(photo, photo, "--json")

    first, second = (json.loads(line) for line in out.splitlines())
    assert first["file"] == second["file"] == str(photo)
    assert AnnotationResult.from_json(first).garments[0].object == "upper-body"


def test_looks_into_the_crop(photo):
    out, _, _ = annotate(photo, "--json", "--crop", "0,0,300,250")

    [garment] = AnnotationResult.from_json(json.loads(out)).garments
    assert garment.box.bottom <= 250


def test_says_why_it_abstains(tmp_path):
    path = tmp_path / "white.png"
    path.write_bytes(encode(paint(garment=(255, 255, 255)), "PNG"))

    assert "no garment found" in annotate(path)[0]


def test_says_what_it_may_be_where_it_abstains():
    alternatives = (Alternative("scarf", 0.3), Alternative("belt", 0.004))
    model = ModelName("m", "1", "kalas-1")
    result = AnnotationResult(30, 40, model, abstained="no-garment", alternatives=alternatives)

    text = write_text(Path("a.jpg"), result)

    assert text.endswith("no garment found, perhaps Scarf or stole 30%")


def test_one_line_for_each_bad_file_and_the_answers_of_the_others(photo, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(photo.read_bytes()[:-900])
    missing = tmp_path / "none.jpg"

    out, err, status = annotate(bad, photo, missing)

    assert str(photo) in out
    assert err.splitlines() == [
        f"{bad}: The file is damaged or incomplete.",
        f"{missing}: No such file or directory",
    ]
    assert status == 1


def test_refuses_a_crop_that_is_none(photo):
    with pytest.raises(CommandError, match="left,top,right,bottom"):
        annotate(photo, "--crop", "1,2,3")
