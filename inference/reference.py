"""The taxonomy as a page of the documentation, so that the page never lags behind the data."""

from collections.abc import Iterable, Iterator

from inference import taxonomy
from inference.taxonomy import Attribute, AttributeValue, Category, LabelMap, Meaning

_HEAD = """\
# Taxonomy kalas-1

Everything that Kalas can say about a garment. Written by `manage.py document_taxonomy` from
[kalas-1.toml](../../inference/data/kalas-1.toml),
[kalas-1-attributes.toml](../../inference/data/kalas-1-attributes.toml),
[words.toml](../../inference/data/words.toml) and
[labels.toml](../../inference/data/labels.toml): change those, then run it again. Why labels mean
what they mean: [ADR 13](../decisions/0013-labels-mean-what-the-photos-show.md).

**Trained** names are answers of a model that is trained now. A category is if at least 30 photos
or cut-outs of the training files show it by their label and nothing else, or if it is the plain
meaning of a coarse label that other labels narrow down (long-sleeve-top, top, casual-shoes). An
attribute's value is if at least 60 photos say it and its key has another such value. The other
names are there for people, for imports and for later data. Which names a weights file answers
stands in its description beside it.

**Sources.** *eTryOn* is the category class, key or value of eTryOn D3.1 (Mallzee's taxonomy) that
a name covers: all 23 classes, nine keys, 20 patterns and 94 styles, of which four names mean two
things (boyfriend jeans, boyfriend t-shirts). D3.1 gives the values of pattern and style only; the
values of its other seven keys are the usual words of the trade, chosen by us, and so is everything
without a note.
"""


def render() -> str:
    return "\n".join(line.rstrip(" ") for line in _lines())


def _lines() -> Iterator[str]:
    names = taxonomy.load()
    yield _HEAD
    yield "## Categories\n"
    for kind in names.object_types:
        yield f"### {kind.names['en']} ({kind.names['tr']})\n"
        yield from _table(
            ("name", "English", "Türkçe", "trained", "eTryOn", "also asked for as"),
            (_category(c) for c in names.categories if c.object_type == kind.name),
        )
    yield "## Attributes\n"
    yield "A garment has at most one value of a key. A value is for what its key is for, or less.\n"
    for attribute in names.attributes:
        yield from _attribute(attribute)
    yield "## Colours\n"
    yield from _table(
        ("name", "English", "Türkçe", "colour", "family"),
        ((c.name, c.names["en"], c.names["tr"], c.hex, c.family) for c in names.colours),
    )
    families = ", ".join(family.name for family in names.colour_families)
    yield f"Families: {families}. Gold, silver and multi have no single point in a colour space.\n"
    yield "## What the data's labels mean\n"
    yield "Any category of a cell is a right answer; a dash is left out, with the reason.\n"
    for data_set in ("fpi", "clothing", "ccp"):
        labels = taxonomy.load_labels(data_set)
        yield f"### {data_set}\n"
        yield from _table(("label", "means"), _labels(labels))
        if labels.rules:
            yield "Where the product's name says more (the first line that fits decides):\n"
            yield from _table(("label", "name", "means"), _rules(labels))


def _category(category: Category) -> tuple[str, ...]:
    return (
        category.name,
        category.names["en"],
        category.names["tr"],
        "yes" if category.trained else "",
        category.etryon,
        _synonyms("category", category.name),
    )


def _attribute(attribute: Attribute) -> Iterator[str]:
    yield f"### {attribute.key}: {attribute.names['en']} ({attribute.names['tr']})\n"
    origin = f"eTryOn's {attribute.etryon}. " if attribute.etryon else ""
    yield f"{origin}For {', '.join(attribute.applies_to)}.\n"
    yield from _table(
        ("value", "English", "Türkçe", "trained", "eTryOn", "only for", "also asked for as"),
        (_value(attribute, value) for value in attribute.values),
    )


def _value(attribute: Attribute, value: AttributeValue) -> tuple[str, ...]:
    return (
        value.name,
        value.names["en"],
        value.names["tr"],
        "yes" if value.trained else "",
        value.etryon,
        ", ".join(value.applies_to),
        _synonyms("value", f"{attribute.key}:{value.name}"),
    )


def _synonyms(kind: taxonomy.Kind, name: str) -> str:
    words = (*taxonomy.words(kind, name, "en"), *taxonomy.words(kind, name, "tr"))
    title = taxonomy.load().title
    titles = {taxonomy.lower(title(kind, name, tongue), tongue) for tongue in ("en", "tr")}
    return ", ".join(dict.fromkeys(word for word in words if word not in titles))


def _labels(labels: LabelMap) -> Iterator[tuple[str, ...]]:
    for label, meaning in labels.meanings.items():
        yield label, _meaning(meaning)


def _rules(labels: LabelMap) -> Iterator[tuple[str, ...]]:
    for rule in labels.rules:
        pattern = rule.pattern.pattern.replace("|", "\\|")
        yield rule.label, f"`{pattern}`", _meaning(rule.meaning)


def _meaning(meaning: Meaning) -> str:
    return ", ".join(meaning.categories) or f"– ({meaning.ignored_because})"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
