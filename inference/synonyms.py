"""What a person's words mean in kalas-1: "kırmızı çizgili tişört" is red, striped, a t-shirt.

No torch, no Django, no numpy: pages read searches with it.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from inference import taxonomy
from inference.taxonomy import Kind


@dataclass(frozen=True, slots=True)
class Sense:
    kind: Kind
    """object, category, family, colour or value."""
    name: str
    """A value as "pattern:striped"."""


@dataclass(frozen=True, slots=True)
class Term:
    text: str
    """Lower-cased, without accents and hyphens."""
    senses: tuple[Sense, ...]
    """What they can mean; any of them is meant."""


@dataclass(frozen=True, slots=True)
class Folded:
    terms: tuple[Term, ...]
    rest: tuple[str, ...]
    """Words that the taxonomy doesn't know, in their order."""

    def named(self, kind: Kind) -> tuple[str, ...]:
        """All names of the kind that the terms can mean."""
        found = (s.name for term in self.terms for s in term.senses if s.kind == kind)
        return tuple(dict.fromkeys(found))


def fold(text: str, language: str) -> Folded:
    """Reads words of the language, and English ones where it has none.

    The last garment that is named is what is looked for: "shirt dress" is a dress, "hooded jacket"
    a jacket, and "boyfriend" means another cut of jeans than of t-shirts.
    """
    language = language.partition("-")[0]
    words = _split(text, language)
    found: list[Term] = []
    rest: list[str] = []
    place = 0
    while place < len(words):
        length, senses = _longest(words[place:], language)
        phrase = " ".join(word.plain for word in words[place : place + length])
        if senses:
            found.append(Term(phrase, senses))
        else:
            rest.append(phrase)
        place += length
    return Folded(tuple(_narrow(found)), tuple(rest))


class _Word(NamedTuple):
    written: str
    """Lower-cased."""
    plain: str
    """Without accents, as many type it: "sarı" (yellow) becomes "sari", which is a saree too."""


_Phrase = tuple[str, ...]
_Index = dict[_Phrase, tuple[Sense, ...]]
_LONGEST = 4
# Written without accents. Cases that change the stem ("gömleği") are left to the text encoder.
_PLURALS = {"en": ("s", "es"), "tr": ("ler", "lar", "leri", "lari")}


def _longest(words: list[_Word], language: str) -> tuple[int, tuple[Sense, ...]]:
    """How many words the longest phrase has that means something, and what."""
    languages = (language, "en") if language != "en" else ("en",)
    for length in range(min(len(words), _LONGEST), 0, -1):
        for known in languages:
            senses = _look_up(words[:length], known)
            if senses:
                return length, senses
    return 1, ()


def _look_up(words: list[_Word], language: str) -> tuple[Sense, ...]:
    as_written, plain = _index(language)
    if any(word.written != word.plain for word in words):
        senses = as_written.get(tuple(word.written for word in words))
        if senses:
            return senses
    for phrase in _forms([word.plain for word in words], language):
        if phrase in plain:
            return plain[phrase]
    return ()


def _forms(words: list[str], language: str) -> Iterator[_Phrase]:
    """The phrase as it stands, then with its last word in the singular."""
    *first, last = words
    yield tuple(words)
    for ending in _PLURALS.get(language, ()):
        if last.endswith(ending) and len(last) > len(ending) + 2:
            yield (*first, last.removesuffix(ending))


def _narrow(terms: list[Term]) -> Iterator[Term]:
    heads = [t for t in terms if any(sense.kind == "category" for sense in t.senses)]
    head = heads[-1] if heads else None
    categories = [s.name for s in head.senses if s.kind == "category"] if head else []
    for term in terms:
        if term is head:
            # A cut that shares its name with a garment ("polo") says nothing more about it.
            yield Term(term.text, tuple(s for s in term.senses if s.kind == "category"))
            continue
        values = [s for s in term.senses if s.kind == "value"]
        fitting = [s for s in values if any(_applies(s, category) for category in categories)]
        others = [s for s in term.senses if s.kind not in ("value", "category")]
        garments = [s for s in term.senses if s.kind == "category"]
        yield Term(term.text, tuple([*others, *fitting] or garments or values))


def _applies(sense: Sense, category: str) -> bool:
    key, _, value = sense.name.partition(":")
    return taxonomy.load().applies(key, value, category)


@cache
def _index(language: str) -> tuple[_Index, _Index]:
    """Phrase → everything that it can mean: as it is written, and without accents."""
    as_written: dict[_Phrase, dict[Sense, None]] = {}
    plain: dict[_Phrase, dict[Sense, None]] = {}
    for sense, phrase in _phrases(language):
        words = _split(phrase, language)
        as_written.setdefault(tuple(word.written for word in words), {})[sense] = None
        plain.setdefault(tuple(word.plain for word in words), {})[sense] = None
    return (
        {phrase: tuple(senses) for phrase, senses in as_written.items()},
        {phrase: tuple(senses) for phrase, senses in plain.items()},
    )


def _phrases(language: str) -> Iterator[tuple[Sense, str]]:
    names = taxonomy.load()
    families = {family.name for family in names.colour_families}
    senses = [
        *(Sense("object", item.name) for item in names.object_types),
        *(Sense("category", category.name) for category in names.categories),
        *(Sense("family", family) for family in families),
        *(Sense("colour", c.name) for c in names.colours if c.name not in families),
    ]
    garments: set[str] = set()
    for sense in senses:
        for phrase in taxonomy.words(sense.kind, sense.name, language):
            yield sense, phrase
            if sense.kind == "category":
                garments.add(phrase)
    for attribute in names.attributes:
        for value in attribute.values:
            sense = Sense("value", f"{attribute.key}:{value.name}")
            if attribute.key == "style" and language == "en":
                # By D3.1's own word: in "boyfriend jeans" the jeans are a word of their own.
                yield sense, value.etryon
                continue
            for phrase in taxonomy.words("value", sense.name, language):
                if attribute.key != "style" or phrase.split()[-1] not in garments:
                    yield sense, phrase


def _split(text: str, language: str) -> list[_Word]:
    lowered = taxonomy.lower(text, language).replace("'s", "")
    words = (_Word(word, _without_accents(word)) for word in re.findall(r"[^\W_]+", lowered))
    return [word for word in words if word.plain]


def _without_accents(word: str) -> str:
    parts = unicodedata.normalize("NFKD", word.replace("ı", "i"))
    return "".join(part for part in parts if not unicodedata.combining(part))
