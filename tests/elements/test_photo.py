"""A photo with boxes: the SVG is shown at twice the photo's size."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.elements.pages import show

pytestmark = pytest.mark.e2e

FIELDS = ("left", "top", "right", "bottom")


PHOTO = """
<kalas-photo width="200" height="100" drawable data-box-label="Your box">
  <img width="200" height="100" alt="A photo">
  <svg class="boxes" viewBox="0 0 200 100" width="400" height="200">
    <g class="box" data-garment="a" tabindex="0"><rect x="10" y="20" width="30" height="40"/></g>
  </svg>
  <section data-garment="a" tabindex="-1">Shirt</section>
  <button type="button" data-edit="a">Edit</button>
  <button type="button" data-draw aria-pressed="false">Draw</button>
  <form><input type="number" name="left"><input type="number" name="top">
    <input type="number" name="right"><input type="number" name="bottom"></form>
</kalas-photo>"""


@pytest.fixture
def at(page: Page) -> Callable[[int, int], tuple[float, float]]:
    show(page, PHOTO, "kalas-photo")
    frame = page.locator("svg.boxes").bounding_box()
    assert frame is not None
    return lambda x, y: (frame["x"] + 2 * x, frame["y"] + 2 * y)


def _values(page: Page) -> list[str]:
    return [page.input_value(f"input[name={side}]") for side in FIELDS]


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()


def test_lights_up_text_and_box_together(page: Page, at: Any) -> None:
    page.hover("section")
    expect(page.locator("g[data-garment=a]")).to_have_class("box is-on")

    page.mouse.move(0, 0)
    page.focus("g[data-garment=a]")
    expect(page.locator("section")).to_have_class("is-on")

    page.keyboard.press("Enter")
    expect(page.locator("section")).to_be_focused()


def test_draws_moves_and_resizes_with_the_mouse(page: Page, at: Any) -> None:
    page.click("[data-draw]")

    _drag(page, at(50, 10), at(150, 60))
    assert _values(page) == ["50", "10", "150", "60"]

    _drag(page, at(100, 30), at(110, 35))
    assert _values(page) == ["60", "15", "160", "65"]

    _drag(page, at(60, 15), at(40, 5))
    assert _values(page) == ["40", "5", "160", "65"]

    _drag(page, at(100, 30), at(0, 0))
    assert _values(page) == ["0", "0", "120", "60"]


def test_leaves_the_boxes_alone_while_drawing_is_off(page: Page, at: Any) -> None:
    _drag(page, at(50, 10), at(150, 60))

    assert _values(page) == [""] * 4


def test_a_mere_click_keeps_the_box(page: Page, at: Any) -> None:
    page.click("[data-draw]")
    _drag(page, at(50, 10), at(150, 60))

    page.mouse.click(*at(190, 90))

    assert _values(page) == ["50", "10", "150", "60"]


def test_draws_with_the_keyboard_alone(page: Page, at: Any) -> None:
    page.focus("[data-draw]")
    page.keyboard.press("Enter")
    assert _values(page) == ["50", "25", "150", "75"]
    expect(page.locator("g.drawn")).to_be_focused()

    page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("Shift+ArrowDown")
    assert _values(page) == ["52", "24", "152", "76"]

    page.keyboard.press("Escape")
    assert _values(page) == [""] * 4
    expect(page.locator("g.drawn")).to_have_count(0)


def test_escape_takes_a_drag_back(page: Page, at: Any) -> None:
    page.click("[data-draw]")
    _drag(page, at(50, 10), at(150, 60))

    page.mouse.move(*at(100, 30))
    page.mouse.down()
    page.mouse.move(*at(120, 50))
    page.keyboard.press("Escape")
    page.mouse.up()

    assert _values(page) == ["50", "10", "150", "60"]


def test_number_fields_and_box_show_the_same(page: Page, at: Any) -> None:
    for side, value in zip(FIELDS, ("20", "30", "80", "90"), strict=True):
        page.fill(f"input[name={side}]", value)

    expect(page.locator("g.drawn > rect").first).to_have_attribute("width", "60")

    page.fill("input[name=right]", "900")
    expect(page.locator("g.drawn")).to_have_count(0)


def test_starts_from_the_models_box(page: Page, at: Any) -> None:
    page.click("[data-edit]")

    assert _values(page) == ["10", "20", "40", "60"]


def test_handles_are_large_enough_to_touch(page: Page, at: Any) -> None:
    page.click("[data-edit]")

    for corner in page.locator(".handle-area").all():
        size = corner.bounding_box()
        assert size is not None
        assert min(size["width"], size["height"]) >= 24
