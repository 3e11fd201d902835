"""The counts of what was found as choices of a page, by which to narrow it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from annotations.models import Garment
from inference import taxonomy
from retrieval.facets import Facets
from retrieval.filters import Filters
from retrieval.models import Product

MOST_CHOICES = 8


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    title: str
    number: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Group:
    """`name` is the filter's field."""

    name: str
    title: str
    choices: tuple[Choice, ...]


def list_groups(facets: Facets, filters: Filters) -> list[Group]:
    """Those that leave a choice, or in which one is made."""
    kinds = {value: str(title) for value, title in Garment.ObjectType.choices}
    stocks = {value: str(title) for value, title in Product.Stock.choices}
    groups = [
        _make("category", _("Category"), facets.categories, filters.category),
        _make("object", _("Object"), facets.objects, filters.object_type, kinds),
        _make("colour", _("Colour"), facets.colours, filters.colour),
        _make("attribute", _("Attribute"), facets.attributes, filters.attribute),
        _make("stock", _("Stock"), facets.stock, filters.stock, stocks),
    ]
    return [g for g in groups if len(g.choices) > 1 or any(c.chosen for c in g.choices)]


def _make(
    name: str,
    title: str,
    counts: Sequence[tuple[str, int]],
    wanted: str,
    titles: dict[str, str] | None = None,
) -> Group:
    numbers = dict(counts)
    shown = [wanted] if wanted else [value for value, _number in counts[:MOST_CHOICES]]
    return Group(
        name,
        title,
        tuple(
            Choice(
                value,
                titles.get(value, value) if titles else _title(name, value),
                numbers.get(value, 0),
                value == wanted,
            )
            for value in shown
        ),
    )


def _title(name: str, value: str) -> str:
    kinds: dict[str, taxonomy.Kind] = {
        "category": "category", "colour": "colour", "attribute": "value",
    }  # fmt: skip
    try:
        return taxonomy.load().title(kinds[name], value, get_language() or "en")
    except taxonomy.UnknownLabel:  # of an older taxonomy
        return value
