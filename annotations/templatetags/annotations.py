from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from annotations.models import Colour, Label
from inference import taxonomy

register = template.Library()

STAGES = ("queue", "decode", "detect", "classify", "colours", "total")


@register.filter
def category_title(name: str) -> str:
    return taxonomy.load().title("category", name, get_language() or "en")


@register.filter
def colour_title(name: str) -> str:
    return taxonomy.load().title("colour", name, get_language() or "en")


@register.filter
def object_title(name: str) -> str:
    return taxonomy.load().title("object", name, get_language() or "en")


@register.filter
def attribute_title(key: str) -> str:
    return taxonomy.load().title("attribute", key, get_language() or "en")


@register.filter
def value_title(label: Label) -> str:
    """A value's name depends on its key. One that this taxonomy does not know is shown as it is."""
    title = taxonomy.load().title("value", f"{label.key}:{label.name}", get_language() or "en")
    return label.name if title == f"{label.key}:{label.name}" else title


@register.filter
def percent(probability: float) -> str:
    """0.934 → 93 %; what is not quite all or nothing never reads as 100 or 0."""
    rounded = round(probability * 100)
    if 0 < probability < 1:
        rounded = min(max(rounded, 1), 99)
    return _("%d %%") % rounded


@register.filter
def age(since: datetime) -> str:
    """How long ago, in one short unit."""
    seconds = max(int((timezone.now() - since).total_seconds()), 0)
    for length, text in ((86400, _("%d d")), (3600, _("%d h")), (60, _("%d min"))):
        if seconds >= length:
            return text % (seconds // length)
    return _("%d s") % seconds


@register.filter
def in_stage_order(timings_ms: dict[str, float]) -> list[tuple[str, float]]:
    """PostgreSQL keeps the keys of JSON in an order of its own."""
    return sorted(
        timings_ms.items(),
        key=lambda item: STAGES.index(item[0]) if item[0] in STAGES else len(STAGES),
    )


@register.filter
def abstained_words(reason: str) -> str:
    """Why the engine gave no answer, and what to do."""
    return {
        "no-garment": _("No garment was found. Draw a box around one to have it annotated."),
        "too-small": _("This part of the photo is too small to say. Use a larger photo or box."),
        "unreadable": _("The photo can't be made out. Use a sharper or brighter one."),
    }.get(reason, reason)


@register.filter
def share_bar(colours: Iterable[Colour]) -> list[dict[str, str]]:
    """Where each colour's part of a bar of length 100 starts and how wide it is, for SVG."""
    parts, start = [], 0.0
    for colour in colours:
        width = colour.share * 100
        # Formatted here: a template would write a decimal comma in Turkish.
        parts.append({"start": f"{start:.2f}", "width": f"{width:.2f}", "hex": colour.hex})
        start += width
    return parts


@register.filter
def change_key_title(key: str) -> str:
    """Of a key in a review's changes."""
    known = {
        "category": _("Category"),
        "object": _("Object"),
        "box": _("Box"),
        "colours": _("Colours"),
        "primary": _("Main garment"),
        "garment": _("Garment"),
        "answer": _("Answer"),
    }
    return known.get(key) or attribute_title(key)


@register.filter
def said_title(key: str, value: str) -> str:
    """Of a category or an attribute's value; empty is none."""
    return change_value({"key": key, "value": value or None}, "value")


@register.simple_tag
def change_value(change: dict[str, Any], side: str) -> str:
    """`from` or `to` of one of a review's changes, in words."""
    value, key = change.get(side), change["key"]
    if value is None or value == []:
        return "—"
    say = _SAY.get(key)
    if say:
        return say(value)
    title = taxonomy.load().title("value", f"{key}:{value}", get_language() or "en")
    return str(value) if title == f"{key}:{value}" else title


def _say_box(box: list[int]) -> str:
    left, top, right, bottom = box
    return f"{left}, {top} – {right}, {bottom}"


def _say_answer(state: str) -> str:
    words = {
        "done": _("garments"),
        "no-garment": _("Not a garment"),
        "unreadable": _("Bad photo"),
    }
    return words.get(state, state)


_SAY: dict[str, Callable[[Any], str]] = {
    "category": category_title,
    "garment": category_title,
    "object": object_title,
    "colours": lambda names: ", ".join(colour_title(name) for name in names),
    "box": _say_box,
    "primary": lambda yes: _("yes") if yes else _("no"),
    "answer": _say_answer,
}
