"""The landing page shows what the shipped model answers."""

import json
from dataclasses import replace
from html import escape
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from inference import taxonomy
from inference.contract import AnnotationResult, Garment
from kalas import sample


def test_the_kept_answers_are_the_shipped_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(settings.BASE_DIR)
    said = StringIO()

    photos = [Path("static", kept.photo) for kept in sample.load_samples()]
    call_command("annotate", *photos, "--json", "--device=cpu", stdout=said)

    answers = [
        AnnotationResult.from_json(json.loads(line)) for line in said.getvalue().splitlines()
    ]
    kept_answers = [kept.result for kept in sample.load_samples()]
    assert [_words(answer) for answer in answers] == [_words(kept) for kept in kept_answers]
    assert _numbers(answers) == pytest.approx(_numbers(kept_answers), abs=0.005)


def _words(answer: AnnotationResult) -> tuple[object, ...]:
    """All but the time it took and the numbers, which differ a little between processors."""
    garments = tuple(
        (g.object, g.box, g.category.name, [colour.name for colour in g.colours])
        for g in answer.garments
    )
    return replace(answer, garments=(), timings_ms={}), garments


def _numbers(answers: list[AnnotationResult]) -> list[float]:
    return [number for answer in answers for g in answer.garments for number in _shown(g)]


def _shown(garment: Garment) -> list[float]:
    return [garment.category.confidence, *(colour.share for colour in garment.colours)]


def test_every_sample_has_a_photo_and_a_garment() -> None:
    for kept in sample.load_samples():
        assert finders.find(kept.photo)
        assert kept.result.garments


@pytest.mark.parametrize("language", ["en", "tr"])
def test_the_page_names_them_in_the_visitors_language(client: Client, language: str) -> None:
    page = client.get("/", headers={"accept-language": language}).content.decode()

    for kept in sample.load_samples():
        for garment in kept.result.garments:
            title = taxonomy.load().title("category", garment.category.name, language)
            assert escape(title) in page
