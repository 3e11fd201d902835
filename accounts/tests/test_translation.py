"""Turkish is complete: nothing missing, unsure, not compiled, or unknown to the translation."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
from django.conf import settings

FOLDER = settings.BASE_DIR / "locale" / "tr" / "LC_MESSAGES"
SOURCES = [
    "accounts",
    "annotations",
    "inference",
    "integrations",
    "kalas",
    "retrieval",
    "templates",
]


@pytest.fixture(scope="module")
def written() -> polib.POFile:
    return polib.pofile(str(FOLDER / "django.po"))


def key(entry: polib.POEntry) -> tuple[str | None, str]:
    return entry.msgctxt, entry.msgid


def test_everything_is_translated(written: polib.POFile) -> None:
    assert [entry.msgid for entry in written.untranslated_entries()] == []
    assert [entry.msgid for entry in written.fuzzy_entries()] == []
    assert [entry.msgid for entry in written.obsolete_entries()] == []


def test_what_is_written_is_compiled(written: polib.POFile) -> None:
    compiled = {
        key(entry): (entry.msgstr, entry.msgstr_plural)
        for entry in polib.mofile(str(FOLDER / "django.mo"))
    }

    assert compiled == {key(entry): (entry.msgstr, entry.msgstr_plural) for entry in written}


def test_places_for_values_are_kept(written: polib.POFile) -> None:
    """A translation with another placeholder would break the page that shows it."""
    if shutil.which("msgfmt") is None:
        pytest.skip("GNU gettext is missing: apt-get install gettext")
    command = ["msgfmt", "--check-format", "-o", "/dev/null", str(FOLDER / "django.po")]

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr


def test_every_text_of_the_source_is_known(written: polib.POFile, tmp_path: Path) -> None:
    if shutil.which("xgettext") is None:
        pytest.skip("GNU gettext is missing: apt-get install gettext")
    for name in SOURCES:
        only_texts = shutil.ignore_patterns("demo_photos", "static", "weights*", "tests", "*.pyc")
        shutil.copytree(settings.BASE_DIR / name, tmp_path / name, ignore=only_texts)
    (tmp_path / "locale").mkdir()

    command = [sys.executable, "-m", "django", "makemessages", "-l", "tr"]
    environment = {"PATH": os.environ["PATH"]}  # without settings: only the files count
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)

    found = polib.pofile(str(tmp_path / "locale" / "tr" / "LC_MESSAGES" / "django.po"))
    unknown = {entry.msgid for entry in found} - {entry.msgid for entry in written}
    assert unknown == set(), "see docs/how-to/translate.md"
