"""What a search could become while somebody types it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.contrib.postgres.search import SearchQuery
from django.core.cache import caches
from django.db.models import Count

from accounts.models import Tenant
from inference import taxonomy
from retrieval.describing import LANGUAGES
from retrieval.facets import REMEMBER_S, read_shop_facets
from retrieval.models import Product
from retrieval.words import LONGEST, plain

# Of a title's word, before titles are looked for: one letter begins nearly all of them.
_LEAST_LETTERS = 2
_LOOKED_AT = 200
# Words of a category's title.
_SHORT = 2
_WORDS = re.compile(r"[^\W_]+")
Name = tuple[str, str, int]
"""Kind, title and number of products."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the text could become; a product's is its title."""

    text: str
    kind: str
    """category, colour, value or product"""
    number: int = 0
    """Products of the shop that it would find; 0 where nobody counted, and of a product."""
    product_id: UUID | None = None


def suggest(
    *, tenant: Tenant, text: str, language: str, limit: int = 8, only_listed: bool = False
) -> list[Suggestion]:
    """For somebody who is typing: what the shop has that begins so; one query, at times four.

    The last word is taken for unfinished, the others stay. What nothing begins with in the
    language may be of the other one, as for a search.
    """
    head, _space, last = text[:LONGEST].rpartition(" ")
    begun = plain(last)
    if not begun:
        return []
    language = language.partition("-")[0]
    names = _begin(begun, _list_names(tenant, language, only_listed))
    if not names:
        (language,) = {*LANGUAGES} - {language}
        names = _begin(begun, _list_names(tenant, language, only_listed))
    names.sort(key=lambda each: (not plain(each[1]).startswith(begun), -each[2]))
    found = [
        # How many have both nobody has counted.
        Suggestion(f"{head} {taxonomy.lower(title, language)}", kind)
        if head
        else Suggestion(title, kind, number)
        for kind, title, number in names
    ]
    titles = _complete_titles(tenant, text, limit=limit, only_listed=only_listed)
    # Places that one kind leaves are the other's.
    kept = max(limit - len(titles), limit // 2)
    return [*found[:kept], *titles][:limit]


def suggest_examples(*, tenant: Tenant, language: str, limit: int = 4) -> list[str]:
    """For somebody who has not typed yet: what much of the shop is, by main colour and category.

    No two are of one colour or category. At most five minutes old, as what is counted.
    """
    key = f"retrieval.examples.{tenant.id}"
    pairs: list[tuple[str, str]] | None = caches["local"].get(key)
    if pairs is None:
        products = Product.objects.for_tenant(tenant).exclude(category="").exclude(colours=[])
        counted = products.values_list("colours__0", "category").annotate(number=Count("id"))
        pairs = [row[:2] for row in counted.order_by("-number", "category", "colours__0")]
        if pairs:
            caches["local"].set(key, pairs, REMEMBER_S)
    known, language = taxonomy.load(), language.partition("-")[0]
    examples: list[str] = []
    used: set[str] = set()
    for colour, category in pairs:
        title = known.title("category", category, language)
        # What nobody would type is no example.
        if used.isdisjoint((colour, category)) and len(title.split()) <= _SHORT:
            used |= {colour, category}
            text = f"{known.title('colour', colour, language)} {title}"
            examples.append(taxonomy.lower(text, language))
    return examples[:limit]


def _begin(begun: str, names: Iterable[Name]) -> list[Name]:
    return [
        name for name in names if any(word.startswith(begun) for word in plain(name[1]).split())
    ]


def _list_names(tenant: Tenant, language: str, only_listed: bool) -> list[Name]:
    """Of everything that the shop's products are."""
    known = taxonomy.load()
    facets = read_shop_facets(tenant, only_listed=only_listed)
    return [
        *(("category", known.title("category", n, language), k) for n, k in facets.categories),
        *(("colour", known.title("colour", n, language), k) for n, k in facets.colours),
        *(("value", known.title("value", n, language), k) for n, k in facets.attributes),
    ]


def _complete_titles(
    tenant: Tenant, text: str, *, limit: int, only_listed: bool
) -> list[Suggestion]:
    words = _WORDS.findall(plain(text))
    if not words or len(words[-1]) < _LEAST_LETTERS:
        return []
    query = SearchQuery(
        " & ".join(f"{word}:*" for word in words), config="simple", search_type="raw"
    )
    products = Product.objects.for_tenant(tenant).filter(search=query).exclude(title="")
    if only_listed:
        products = products.filter(listed=True)
    # Some of those that match, as sorting all of them would take longer than a keystroke.
    rows = sorted(products.values_list("title", "id")[:_LOOKED_AT])
    # Words may stand in labels too: here only those that are read in the title.
    return [
        Suggestion(title, "product", product_id=id_)
        for title, id_ in rows
        if all(f" {word}" in _spell(title) for word in words)
    ][:limit]


def _spell(title: str) -> str:
    """With a space before each word."""
    return " " + " ".join(_WORDS.findall(plain(title)))
