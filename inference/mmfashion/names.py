"""What MMFashion's answers are called: DeepFashion's categories and attributes, whole names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


UPPER = _list(
    "Anorak Blazer Blouse Bomber Button-Down Cardigan Flannel Halter Henley Hoodie Jacket Jersey "
    "Parka Peacoat Poncho Sweater Tank Tee Top Turtleneck"
)
LOWER = _list(
    "Capris Chinos Culottes Cutoffs Gauchos Jeans Jeggings Jodhpurs Joggers Leggings Sarong "
    "Shorts Skirt Sweatpants Sweatshorts Trunks"
)
FULL = _list(
    "Caftan Cape Coat Coverup Dress Jumpsuit Kaftan Kimono Nightdress Onesie Robe Romper "
    "Shirtdress Sundress"
)
CATEGORIES = (*UPPER, *LOWER, *FULL)
"""In the order of list_category_cloth.txt."""
FINE_ATTRIBUTES = _list(
    "floral graphic striped embroidered pleated solid lattice long_sleeve short_sleeve sleeveless "
    "maxi_length mini_length no_dress crew_neckline v_neckline square_neckline no_neckline denim "
    "chiffon cotton leather faux knit tight loose conventional"
)
"""In the order of Anno_fine/list_attr_cloth.txt."""


class BadNames(ValueError):
    """The list of names cannot be read or does not fit the model."""


@dataclass(frozen=True, slots=True)
class Names:
    categories: tuple[str, ...]
    attributes: tuple[str, ...]


def find(
    model: Mapping[str, Any] | None, *, labels: Path | None, attributes: Path | None
) -> Names | None:
    """The names of a predictor's answers; None for other models. Raises BadNames.

    Without its list a coarse predictor's attributes are called by their number.
    """
    if model is None or "Predictor" not in model["type"]:
        return None
    head = model.get("cate_predictor")
    count = head["outchannels"] if head else 0
    categories = read_list(labels) if labels else (CATEGORIES if count == len(CATEGORIES) else ())
    if labels or count:
        _check(categories or number("category", count), count, labels, "categories")
    wanted = model["attr_predictor"]["outchannels"]
    fine = FINE_ATTRIBUTES if wanted == len(FINE_ATTRIBUTES) else number("attribute", wanted)
    named = read_list(attributes) if attributes else fine
    _check(named, wanted, attributes, "attributes")
    return Names(tuple(categories or number("category", count)), tuple(named))


def number(what: str, count: int) -> tuple[str, ...]:
    return tuple(f"{what} {i}" for i in range(count))


def read_list(path: Path) -> tuple[str, ...]:
    """A list of DeepFashion: a count, a line of titles, then a name and a number on each line.

    Names may hold blanks; MMFashion cut them there, so that "abstract print" and "abstract
    chevron" were one. Raises BadNames.
    """
    try:
        lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadNames(f"{path.name} cannot be read.") from error
    if len(lines) < 2 or not lines[0].isdecimal() or int(lines[0]) != len(lines) - 2:
        raise BadNames(
            f"{path.name} is no list of DeepFashion: a count, titles, then as many lines."
        )
    names = tuple(line.rsplit(None, 1)[0] for line in lines[2:])
    numbered = all(line.rsplit(None, 1)[-1].isdecimal() for line in lines[2:])
    return names if numbered else tuple(lines[2:])


def _check(named: tuple[str, ...], count: int, path: Path | None, what: str) -> None:
    if path and len(named) != count:
        raise BadNames(f"{path.name} names {len(named)} {what}, the model answers {count}.")
