"""What Kalas can say about a garment, and what the data sets' labels mean in these words.

Pure data without torch or Django: the web process, the engine and training share it.
"""

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from inference.contract import ObjectType

Kind = Literal["object", "category", "colour", "family", "gender", "attribute", "value"]

_DATA = Path(__file__).parent / "data"


class UnknownLabel(KeyError):
    """A name that is neither in the taxonomy nor in the mapping of its data set."""


@dataclass(frozen=True, slots=True)
class Named:
    name: str
    names: dict[str, str]
    """By language code, at least "en" and "tr"."""


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    object_type: ObjectType
    names: dict[str, str]
    trained: bool
    """Whether the shipped model can answer it."""
    etryon: str = ""
    """The category class of eTryOn D3.1 that it covers, if any."""


@dataclass(frozen=True, slots=True)
class ColourName:
    name: str
    hex: str
    family: str
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class AttributeValue:
    name: str
    names: dict[str, str]
    trained: bool
    applies_to: tuple[str, ...] = ()
    """Category names; empty where the value applies wherever its key does."""
    told_of: tuple[str, ...] = ()
    """Category names of which a model can tell it; empty where of all that it applies to."""
    etryon: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    key: str
    names: dict[str, str]
    values: tuple[AttributeValue, ...]
    applies_to: tuple[str, ...]
    """Category names."""
    etryon: str = ""
    """The key of eTryOn D3.1 that it covers, if any."""
    exclusive: bool = True
    """At most one value per garment: so it is with every key of kalas-1."""

    def value(self, name: str) -> AttributeValue:
        """Raises UnknownLabel."""
        for value in self.values:
            if value.name == name:
                return value
        raise UnknownLabel(f"{self.key}:{name}")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a data set's label means.

    Any of `categories` is a right answer; if there is none, the reason to leave the photo out.
    """

    categories: tuple[str, ...]
    ignored_because: str = ""


@dataclass(frozen=True, slots=True)
class _NameRule:
    label: str
    pattern: re.Pattern[str]
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Taxonomy:
    version: str
    abstention: str
    """The head's answer for a picture without a garment."""
    object_types: tuple[Named, ...]
    categories: tuple[Category, ...]
    genders: tuple[Named, ...]
    colour_families: tuple[Named, ...]
    colours: tuple[ColourName, ...]
    label_order: tuple[str, ...]
    """Head index → name of a trained category, the abstention last."""
    attributes: tuple[Attribute, ...]
    attribute_order: tuple[tuple[str, tuple[str, ...]], ...]
    """The attribute heads' answers: keys and their trained values, concatenated in this order."""
    _categories: dict[str, Category] = field(repr=False)
    _titles: dict[tuple[str, str], dict[str, str]] = field(repr=False)

    def category(self, name: str) -> Category:
        """Raises UnknownLabel."""
        try:
            return self._categories[name]
        except KeyError as error:
            raise UnknownLabel(name) from error

    def attribute(self, key: str) -> Attribute:
        """Raises UnknownLabel."""
        for attribute in self.attributes:
            if attribute.key == key:
                return attribute
        raise UnknownLabel(key)

    def applies(self, key: str, value: str, category: str) -> bool:
        """Whether a garment of the category can have the value. Raises UnknownLabel."""
        attribute = self.attribute(key)
        return category in (attribute.value(value).applies_to or attribute.applies_to)

    def tells(self, key: str, value: str, category: str) -> bool:
        """Whether a model can tell it of the category. Raises UnknownLabel."""
        told_of = self.attribute(key).value(value).told_of
        return self.applies(key, value, category) and (not told_of or category in told_of)

    def title(self, kind: Kind, name: str, language: str) -> str:
        """The name to show: English where the language has none, as it is where it is not ours.

        A value is named with its key: title("value", "pattern:striped", "tr").
        """
        names = self._titles.get((kind, name))
        if names is None:
            return name
        return names.get(language.partition("-")[0], names["en"])


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Every label of one data set → its meaning, which the product's name can refine."""

    meanings: dict[str, Meaning]
    rules: tuple[_NameRule, ...] = ()

    def meaning(self, label: str, display_name: str = "") -> Meaning:
        """Raises UnknownLabel for a label that nobody has reviewed."""
        try:
            meaning = self.meanings[label]
        except KeyError as error:
            raise UnknownLabel(label) from error
        for rule in self.rules:
            if rule.label == label and rule.pattern.search(display_name.lower()):
                return rule.meaning
        return meaning


@cache
def load() -> Taxonomy:
    raw = _read("kalas-1.toml")
    categories = tuple(
        Category(
            name=c["name"],
            object_type=cast(ObjectType, c["object"]),
            names=_names(c),
            trained=c["trained"],
            etryon=c.get("etryon", ""),
        )
        for c in raw["categories"]
    )
    colours = tuple(
        ColourName(name=c["name"], hex=c["hex"], family=c["family"], names=_names(c))
        for c in raw["colours"]
    )
    object_types, genders, families = (
        tuple(Named(item["name"], _names(item)) for item in raw[key])
        for key in ("object_types", "genders", "colour_families")
    )
    groups: tuple[tuple[Kind, tuple[Named | Category | ColourName, ...]], ...] = (
        ("object", object_types),
        ("category", categories),
        ("colour", colours),
        ("family", families),
        ("gender", genders),
    )
    titles: dict[tuple[str, str], dict[str, str]] = {
        (kind, item.name): item.names for kind, items in groups for item in items
    }
    attributes = _attributes(categories)
    for attribute in attributes:
        titles["attribute", attribute.key] = attribute.names
        for value in attribute.values:
            titles["value", f"{attribute.key}:{value.name}"] = value.names
    titles["category", raw["abstention"]] = {"en": "Not a garment", "tr": "Giysi değil"}
    return Taxonomy(
        version=raw["version"],
        abstention=raw["abstention"],
        object_types=object_types,
        categories=categories,
        genders=genders,
        colour_families=families,
        colours=colours,
        label_order=(*(c.name for c in categories if c.trained), raw["abstention"]),
        attributes=attributes,
        attribute_order=tuple(
            (attribute.key, trained)
            for attribute in attributes
            if (trained := tuple(value.name for value in attribute.values if value.trained))
        ),
        _categories={c.name: c for c in categories},
        _titles=titles,
    )


@cache
def words(kind: Kind, name: str, language: str) -> tuple[str, ...]:
    """How people ask for it, the usual word first: a value as "pattern:striped".

    English where the language has no words. Raises UnknownLabel.
    """
    entry = _read("words.toml")["colour" if kind == "family" else kind].get(name)
    if entry is not None:
        return tuple(entry.get(language, entry["en"]))
    title = load()._titles.get((kind, name))
    if title is None and kind == "colour":
        title = load()._titles.get(("family", name))
    if title is None:
        raise UnknownLabel(name)
    return (lower(title.get(language, title["en"]), language),)


def lower(text: str, language: str) -> str:
    """Turkish tells I from İ."""
    if language == "tr":
        text = text.replace("I", "ı").replace("İ", "i")
    return text.lower()


@cache
def load_labels(data_set: Literal["fpi", "clothing", "ccp"]) -> LabelMap:
    """The hand-reviewed meaning of a data set's category labels."""
    raw = _read("labels.toml")
    meanings = {label: _meaning(value) for label, value in raw[data_set].items()}
    rules = tuple(
        _NameRule(rule["label"], re.compile(rule["pattern"]), _meaning(rule["means"]))
        for rule in raw.get(f"{data_set}_names", ())
    )
    return LabelMap(meanings, rules)


@cache
def load_colour_labels() -> LabelMap:
    """fpi's base_colour → colour family."""
    return LabelMap({k: _meaning(v) for k, v in _read("labels.toml")["fpi_colours"].items()})


@cache
def load_gender_labels() -> LabelMap:
    """fpi's gender → gender of the taxonomy."""
    return LabelMap({k: _meaning(v) for k, v in _read("labels.toml")["fpi_genders"].items()})


def _attributes(categories: tuple[Category, ...]) -> tuple[Attribute, ...]:
    raw = _read("kalas-1-attributes.toml")
    groups: dict[str, list[str]] = {
        **{category.name: [category.name] for category in categories},
        **raw["groups"],
    }
    for category in categories:
        groups.setdefault(category.object_type, []).append(category.name)

    def expand(names: list[str]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for name in names:
            members = groups[name]
            found.update(dict.fromkeys(members if members == [name] else expand(members)))
        return tuple(found)

    return tuple(
        Attribute(
            key=attribute["key"],
            names=_names(attribute),
            values=tuple(
                AttributeValue(
                    name=value["name"],
                    names=_names(value),
                    trained=value["trained"],
                    applies_to=expand(value.get("on", [])),
                    told_of=expand(value.get("told", [])),
                    etryon=value.get("etryon", ""),
                )
                for value in attribute["values"]
            ),
            applies_to=expand(attribute["on"]),
            etryon=attribute.get("etryon", ""),
        )
        for attribute in raw["attributes"]
    )


def _meaning(value: str | list[str] | dict[str, str]) -> Meaning:
    if isinstance(value, dict):
        return Meaning((), ignored_because=value["ignore"])
    return Meaning((value,)) if isinstance(value, str) else Meaning(tuple(value))


def _names(item: dict[str, Any]) -> dict[str, str]:
    return {language: item[language] for language in ("en", "tr")}


@cache
def _read(name: str) -> dict[str, Any]:
    with (_DATA / name).open("rb") as file:
        return tomllib.load(file)
