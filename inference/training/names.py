"""What a shop's words say about a photo: attributes, a search, and descriptions in our own words.

Only what the words say: a name without "striped" tells nothing about the pattern.
"""

import random
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from inference import taxonomy
from inference.spelling import Phrases, normalise, replace_phrases

DataSet = Literal["fpi", "clothing", "ccp"]

_BRANDS = Path(__file__).parent / "brands.txt"

# (key, value, what the name says). Within a key the first that is found decides: what is drawn on
# the cloth comes before how it got there ("block printed striped saree" is striped).
_SAID: tuple[tuple[str, str, str], ...] = (
    ("age-group", "infant", r"infants?|toddlers?|newborn|babies"),
    ("age-group", "teen", r"teens?|teenagers?"),
    ("age-group", "child", r"kids?|kid's|kidswear|children"),
    ("pattern", "checked", r"check|checks|checked|checkered|chequered|gingham|plaid"),
    # Three stripes on a sleeve are a maker's mark.
    ("pattern", "striped", r"(?<!3 )(?<!three )(?:striped?|stripes|striper|pin-?striped?)"),
    ("pattern", "polka-dots", r"polkas?|dotted"),
    (
        "pattern",
        "animal-print",
        r"(?:animal|leopard|zebra|snake|tiger)s? print(?:ed)?|leopard|zebra",
    ),
    ("pattern", "paisley", r"paisley"),
    ("pattern", "floral", r"floral"),
    ("pattern", "camouflage", r"camouflage|camo"),
    ("pattern", "colourblock", r"colou?r[ -]?block(?:ed)?"),
    ("pattern", "tie-dyed", r"tie[- ](?:& |and )?dyed?"),
    ("pattern", "embroidered", r"embroidered|embroidery|embroidary|embroided"),
    # Shops say "printed" of 1,071 t-shirts and "graphic" of 149 that look no different: one answer.
    ("pattern", "printed", r"printed|prints?|graphics?"),
    ("pattern", "washed", r"washed|wash"),
    ("pattern", "solid", r"solid|plain"),
    ("sleeve-length", "sleeveless", r"sleeveless|tank(?: top)?|camisoles?|strapless|spaghetti"),
    ("sleeve-length", "short-sleeve", r"(?:short|half)[- ]sleeved?s?"),
    ("sleeve-length", "three-quarter-sleeve", r"(?:3/4(?:th)?|three[- ]quarter)[- ]sleeved?s?"),
    ("sleeve-length", "long-sleeve", r"(?:full|long)[- ]sleeved?s?"),
    ("neckline", "v-neck", r"v[- ]?neck"),
    ("neckline", "crew-neck", r"(?:round|crew)[- ]?neck|crew"),
    ("neckline", "polo-collar", r"polo"),
    ("neckline", "hooded", r"hooded|hood|hoody|hoodie"),
    ("neckline", "mandarin-collar", r"mandarin"),
    ("neckline", "henley", r"henley"),
    ("neckline", "turtleneck", r"(?:turtle|roll|high)[- ]?neck"),
    ("neckline", "boat-neck", r"boat[- ]?neck"),
    ("neckline", "scoop-neck", r"scoop"),
    ("neckline", "square-neck", r"square[- ]neck"),
    ("neckline", "cowl-neck", r"cowl"),
    ("neckline", "halter", r"halter"),
    ("neckline", "one-shoulder", r"one[- ]shoulder"),
    ("neckline", "off-shoulder", r"off[- ]shoulder"),
    ("neckline", "strapless", r"strapless"),
    ("fit", "skinny", r"(?:super[- ])?skinny"),
    ("fit", "slim", r"slim"),
    ("fit", "regular", r"regular fit"),
    ("fit", "relaxed", r"(?:relaxed|loose|comfort)(?: fit)?"),
    ("fit", "oversized", r"oversized?"),
    ("rise", "low-rise", r"low[- ](?:rise|waist)"),
    ("rise", "mid-rise", r"mid[- ]rise"),
    ("rise", "high-rise", r"high[- ](?:rise|waist)"),
    ("length", "three-quarter-length", r"3/4(?:th)?"),
    ("length", "cropped", r"cropped"),
    ("length", "knee-length", r"knee[- ]length"),
    ("length", "mini", r"mini"),
    ("length", "midi", r"midi"),
    ("length", "maxi", r"maxi"),
)

_FPI_AGES = {"Men": "adult", "Women": "adult", "Boys": "child", "Girls": "child"}
_FPI_SEASONS = {"Summer": "summer", "Fall": "autumn", "Winter": "winter", "Spring": "spring"}
_FPI_USAGES = {
    "Casual": "casual",
    "Sports": "sports",
    "Ethnic": "ethnic",
    "Formal": "formal",
    "Smart Casual": "smart-casual",
    "Party": "party",
    "Travel": "travel",
}

# The contributors had to choose between these labels, so each of them denies the others.
_CLOTHING_LABELS = {
    "T-Shirt": ("sleeve-length", "short-sleeve"),
    "Longsleeve": ("sleeve-length", "long-sleeve"),
    "Undershirt": ("sleeve-length", "sleeveless"),
    "Polo": ("neckline", "polo-collar"),
    "Hoodie": ("neckline", "hooded"),
}
_CCP_LABELS = {"hoodie": ("neckline", "hooded")}


def mine(data_set: DataSet, row: Mapping[str, Any]) -> dict[str, str]:
    """Attribute key → the value that the row's columns and name say; nothing for no garment.

    Raises UnknownLabel for a label that nobody has reviewed.
    """
    said = dict(_read_columns(data_set, row))
    label = str(row["article_type"] if data_set == "fpi" else row["label"])
    name = str(row.get("display_name") or "")
    for key, value in _read_name(name):
        # A name knows a baby from a child; what it leaves open the columns say.
        if key == "age-group" or key not in said:
            said[key] = value
    meaning = taxonomy.load_labels(data_set).meaning(label, name)
    words = taxonomy.load()
    return {
        attribute.key: said[attribute.key]
        for attribute in words.attributes
        if attribute.key in said
        and any(
            words.applies(attribute.key, said[attribute.key], category)
            for category in meaning.categories
            if category != words.abstention
        )
    }


def query(display_name: str) -> str:
    """What a person would type to find it: no brand, no model numbers, one word for one thing."""
    return normalise(_without_brand(display_name))


def colour_of(row: Mapping[str, Any]) -> str:
    """kalas-1's name for fpi's base colour, else the name of its family, else nothing."""
    label = str(row.get("base_colour") or "NA")
    families = taxonomy.load_colour_labels().meaning(label).categories
    name = label.lower().replace(" ", "-")
    if any(colour.name == name for colour in taxonomy.load().colours):
        return name
    return families[0] if families else ""


def describe(
    category: str,
    colour: str,
    attributes: Mapping[str, str],
    language: Literal["en", "tr"],
    *,
    choose: random.Random | None = None,
) -> str:
    """The words of a search for such a garment; `colour` is a colour or a family, or nothing.

    With `choose`, any synonym can stand for what it means, the usual word otherwise.
    """
    said = dict(attributes)
    if said.get("gender") in ("men", "women", "girls", "boys") and said.get("age-group") in (
        "adult",
        "child",
    ):
        del said["age-group"]
    order = _WORD_ORDERS[language]
    parts = [
        *(("value", f"{key}:{said[key]}") for key in order[0] if key in said),
        *((("colour", colour),) if colour else ()),
        *(("value", f"{key}:{said[key]}") for key in order[1] if key in said),
        ("category", category),
    ]
    chosen = []
    for kind, name in parts:
        words = taxonomy.words(kind, name, language)
        chosen.append(choose.choice(words) if choose else words[0])
    return " ".join(dict.fromkeys(" ".join(chosen).split()))


_WORD_ORDERS = {
    "en": (
        ("gender", "age-group", "season", "occasion"),
        ("pattern", "fit", "sleeve-length", "neckline", "rise", "length", "style"),
    ),
    "tr": (
        ("gender", "age-group", "season", "occasion"),
        ("pattern", "fit", "sleeve-length", "neckline", "rise", "length", "style"),
    ),
}


def _read_columns(data_set: DataSet, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if data_set == "clothing":
        yield "age-group", "child" if row.get("kids") else "adult"
        if row["label"] in _CLOTHING_LABELS:
            yield _CLOTHING_LABELS[row["label"]]
        return
    if data_set == "ccp":
        if row["label"] in _CCP_LABELS:
            yield _CCP_LABELS[row["label"]]
        return
    gender = str(row.get("gender") or "")
    if gender:
        yield "gender", taxonomy.load_gender_labels().meaning(gender).categories[0]
    for key, table, column in (
        ("age-group", _FPI_AGES, "gender"),
        ("season", _FPI_SEASONS, "season"),
        ("occasion", _FPI_USAGES, "usage"),
    ):
        if row.get(column) in table:
            yield key, table[str(row[column])]


def _read_name(display_name: str) -> Iterator[tuple[str, str]]:
    name = _without_brand(display_name)
    found: set[str] = set()
    for key, value, pattern in _said():
        # "Doodle Kids", "Levi's Kids": who a brand's line is for is no brand word.
        text = display_name.lower() if key == "age-group" else name
        if key not in found and pattern.search(text):
            found.add(key)
            yield key, value


@lru_cache(maxsize=65_536)
def _without_brand(display_name: str) -> str:
    """The lower-cased name; brands of several words go anywhere, others from the beginning."""
    words = display_name.lower().replace("’", "'").split()
    anywhere, beginning = _brands()
    rest = [word for word in replace_phrases(words, anywhere) if word]
    while rest and rest[0].removesuffix("'s") in beginning:
        del rest[0]
    return " ".join(rest)


def brands() -> list[str]:
    """Lower-cased, as they are reviewed."""
    lines = _BRANDS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _brands() -> tuple[Phrases, frozenset[str]]:
    phrases = [tuple(brand.split()) for brand in brands()]
    return (
        {phrase: "" for phrase in phrases if len(phrase) > 1},
        frozenset(phrase[0] for phrase in phrases if len(phrase) == 1),
    )


@cache
def _said() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    return tuple(
        (key, value, re.compile(rf"(?<![\w'])(?:{pattern})(?![\w'])"))
        for key, value, pattern in _SAID
    )
