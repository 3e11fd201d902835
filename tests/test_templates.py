"""What every page keeps to, read from the templates and static files themselves."""

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import get_template

ROOT = settings.BASE_DIR / "templates"
PAGES = sorted(path for path in ROOT.rglob("*.html") if "email" not in path.parent.name)
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
MODULES = sorted((settings.BASE_DIR / "static" / "js").glob("*.js"))
STYLES = sorted((settings.BASE_DIR / "static" / "css").rglob("*.css"))

INLINE = {
    "style attribute": r"<[^>]*\sstyle\s*=",
    "style element": r"<style",
    "script without src": r"<script(?![^>]*\ssrc=)",
    "event attribute": r"<[^>]*\son[a-z]+\s*=",
    "javascript: address": r"javascript:",
}


@pytest.mark.parametrize("name", NAMES)
def test_has_nothing_inline(name: str) -> None:
    text = (ROOT / name).read_text()

    assert [what for what, pattern in INLINE.items() if re.search(pattern, text)] == []


@pytest.mark.parametrize("name", NAMES)
def test_compiles_and_every_static_file_exists(name: str) -> None:
    get_template(name)
    files = re.findall(r"{%\s*static\s+['\"]([^'\"]+)['\"]", (ROOT / name).read_text())

    assert [file for file in files if finders.find(file) is None] == []


def test_every_icon_exists() -> None:
    sprite = (settings.BASE_DIR / "static/icons/sprite.svg").read_text()
    known = set(re.findall(r'id="([^"]+)"', sprite))
    used = {
        icon
        for path in PAGES
        for icon in re.findall(r'"_icon.html" with (?:[^%]* )?name="([^"]+)"', path.read_text())
    }

    assert used <= known
    assert used


def test_only_the_tokens_name_colours() -> None:
    elsewhere = {
        f"{path.name}: {colour}"
        for path in STYLES
        if path.name != "tokens.css"
        for colour in re.findall(r"#[0-9a-f]{3,8}\b|rgb\(", path.read_text())
    }

    assert elsewhere == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_is_small_and_its_header_shows_what_it_serves(path: Path) -> None:
    text = path.read_text()

    assert len(text.splitlines()) <= 200
    assert re.match(r"/\*.*?<\w.*?\*/", text, re.DOTALL)


def test_all_scripts_together_are_below_120_kb_compressed() -> None:
    htmx = Path(str(finders.find("django_htmx/htmx-2.min.js")))
    sizes = [len(gzip.compress(path.read_bytes())) for path in (htmx, *MODULES)]

    assert sum(sizes) <= 120_000
