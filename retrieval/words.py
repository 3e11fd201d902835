"""Products by words: in titles, ids and descriptions, and in what Kalas sees on their photos.

Words that the taxonomy knows ask for what they mean ("kırmızı çizgili tişört": red, striped, a
t-shirt), in English and Turkish, and are looked for as words too. Where the engine's model reads
words, what looks like them is ranked in.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from itertools import groupby
from operator import itemgetter, or_
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db import connection
from django.db.models import (
    Case,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.expressions import Combinable

from accounts.models import Tenant
from annotations import engine
from annotations.models import Label
from inference import client, synonyms, taxonomy
from inference.synonyms import Sense
from kalas.lib.shared_connections.base import lend_connection
from retrieval import nearest, similar, wanting
from retrieval.describing import LANGUAGES
from retrieval.facets import Facets, count_facets
from retrieval.filters import NO_FILTERS, Filters, filter_by
from retrieval.models import Product
from retrieval.services.calibration import USUAL_CUT_OFF_OF_WORDS
from retrieval.services.indexes import Model

CONFIGS = ("english", "turkish")
LONGEST = 200
MOST_WORDS = 12
# What looks like the words; what stands behind is on no page that people open.
RANKED = 200
# So many are counted; of more, these are the best.
MOST_COUNTED = 10_000
BEST_FIRST = ("-matched", "-meant", "place", "-rank", "-created_at", "id")
# Cormack et al. 2009: how fast a rank loses its weight.
_FUSION = 60
_EMBED_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase that was asked for."""

    text: str
    senses: tuple[Sense, ...]
    """What it can mean; none for words that only texts have."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person's words were understood as."""

    terms: tuple[Term, ...]

    @property
    def known(self) -> tuple[Term, ...]:
        return tuple(term for term in self.terms if term.senses)


@dataclass(frozen=True, slots=True)
class Found:
    """Products, best first. `kind` says how close they come: all words match, only some do, or
    none does and they look like the words."""

    products: tuple[Product, ...]
    total: int
    reading: Reading
    kind: str
    """all, some, looks or nothing"""
    ids: tuple[UUID, ...] = ()
    """Of all that was found, not only those of the page."""


def read(text: str, language: str) -> Reading:
    """Read as the language that knows most of the words, the given one before the other."""
    text = text[:LONGEST]
    language = language.partition("-")[0]
    others = [each for each in LANGUAGES if each != language]
    readings = [synonyms.fold(text, each) for each in (language, *others)]
    best = min(readings, key=lambda folded: len(folded.rest))
    terms = [Term(term.text, term.senses) for term in best.terms if term.senses]
    rest = _without_stop_words(best.rest[:MOST_WORDS])
    return Reading((*terms[:MOST_WORDS], *(Term(word, ()) for word in rest)))


def annotate(products: "QuerySet[Product, Any]", reading: Reading) -> "QuerySet[Product, Any]":
    """With `matched`, how many terms a product matches, `meant`, how many by their meaning,
    `place`, how far from its main colour the asked ones are, and `rank`, how well its texts
    match."""
    texts = [_search(term.text) for term in reading.terms]
    if not texts:
        return products.annotate(matched=Value(0), meant=Value(0), place=Value(0), rank=Value(0.0))
    return products.annotate(
        matched=_count(_list_conditions(reading)),
        meant=_count([_means(term.senses) for term in reading.known]),
        place=_sum(_place(term.senses) for term in reading.known),
        rank=SearchRank(F("search"), reduce(or_, texts)),
    )


def narrow(products: "QuerySet[Product, Any]", reading: Reading) -> "QuerySet[Product, Any]":
    """Those that match at least one term, annotated."""
    conditions = _list_conditions(reading)
    found = products.filter(reduce(or_, conditions)) if conditions else products.none()
    return annotate(found, reading)


def _match_all(products: "QuerySet[Product, Any]", reading: Reading) -> "QuerySet[Product, Any]":
    """Those that match every term, annotated."""
    conditions = _list_conditions(reading)
    found = products if conditions else products.none()
    for condition in conditions:
        found = found.filter(condition)
    return annotate(found, reading)


def _rank(found: "QuerySet[Product, Any]", order: Sequence[str]) -> list[tuple[UUID, int]]:
    """Ids, and how many terms were meant."""
    rows = found.order_by(*order).values_list("id", "meant")  # type: ignore[misc]  # an annotation
    return list(rows[:MOST_COUNTED])


def _list_conditions(reading: Reading) -> list[Q]:
    return [_means(term.senses) | Q(search=_search(term.text)) for term in reading.terms]


def search(
    *,
    tenant: Tenant,
    text: str,
    language: str,
    now: datetime,
    filters: Filters = NO_FILTERS,
    limit: int = 20,
    offset: int = 0,
) -> Found:
    """The products that the words mean, best first."""
    reading = read(text, language)
    mine = filter_by(Product.objects.for_tenant(tenant), filters)
    # Once, and all of them: to match a text takes far longer than to carry its id.
    kind, matched = "all", _rank(_match_all(mine, reading), BEST_FIRST[1:])
    if not matched:
        kind, matched = "some", _rank(narrow(mine, reading), BEST_FIRST)
    ranked = [id_ for id_, _meant in matched]
    total = len(ranked)
    near, least = _rank_by_looks(tenant=tenant, text=text, filters=filters, now=now)
    # Every text is a little like something: what is added by its looks alone must be much like it.
    seen = [each.product_id for each in near if each.similarity >= least]
    if not ranked and seen:
        kind, total, ranked = "looks", len(seen), seen
    elif kind == "all":
        ranked = _fuse_in_tiers(matched, [each.product_id for each in near])
    elif seen:
        ranked = fuse(ranked, seen)
        total = max(total, len(ranked))
    page = ranked[offset : offset + limit]
    rows = Product.objects.in_bulk(page)
    return Found(
        products=tuple(rows[id_] for id_ in page if id_ in rows),
        total=total,
        reading=reading,
        kind=kind if ranked else "nothing",
        ids=tuple(ranked),
    )


def fuse(first: Sequence[UUID], second: Sequence[UUID]) -> list[UUID]:
    """Two rankings as one: by the sum of 1 / (60 + rank)."""
    scores: dict[UUID, float] = {}
    for ranking in (first, second):
        for place, id_ in enumerate(ranking):
            scores[id_] = scores.get(id_, 0.0) + 1 / (_FUSION + place)
    return sorted(scores, key=lambda id_: -scores[id_])


def _fuse_in_tiers(matched: Sequence[tuple[UUID, int]], near: Sequence[UUID]) -> list[UUID]:
    """Looks order what the words mean as much, and put nothing before what they mean more."""
    ranked: list[UUID] = []
    for _meant, tier in groupby(matched, key=itemgetter(1)):
        ids = [id_ for id_, _meant in tier]
        known = set(ids)
        ranked += fuse(ids, [id_ for id_ in near if id_ in known])
    return ranked


def plain(text: str) -> str:
    """Lower-cased and without accents, as many type it and as the index has it too."""
    lowered = text.replace("İ", "i").replace("I", "i").lower().replace("ı", "i")
    parts = unicodedata.normalize("NFKD", lowered)
    return "".join(part for part in parts if not unicodedata.combining(part))


def _search(text: str) -> SearchQuery:
    """Word stems of both languages; of several words none may be left out, as stems would the "t"
    of "t shirt"."""
    exact = SearchQuery(plain(text), config="simple", search_type="phrase")
    if len(text.split()) > 1:
        return exact
    return reduce(or_, (SearchQuery(text, config=config) for config in CONFIGS), exact)


def _means(senses: Iterable[Sense]) -> Q:
    """A product with one of the meanings; nothing without any."""
    found = Q(pk__in=[])
    if colours := _list_colours(senses):
        found |= Q(colours__overlap=colours)
    for sense in senses:
        if sense.kind == "category":
            found |= Q(category=sense.name)
        elif sense.kind == "object":
            found |= Q(object_type=sense.name)
        elif sense.kind == "value":
            key, _, name = sense.name.partition(":")
            found |= Q(
                Exists(Label.objects.filter(garment=OuterRef("garment"), key=key, name=name))
            )
    return found


def _list_colours(senses: Iterable[Sense]) -> list[str]:
    named = {(sense.kind, sense.name) for sense in senses}
    known = taxonomy.load().colours
    return [c.name for c in known if {("colour", c.name), ("family", c.family)} & named]


def _place(senses: Iterable[Sense]) -> Combinable:
    """Of these colours among the product's, the largest of which is the first."""
    colours = _list_colours(senses)
    if not colours:
        return Value(0)
    return Case(
        When(colours__0__in=colours, then=Value(0)),
        When(colours__1__in=colours, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )


def _count(conditions: Sequence[Q]) -> Combinable:
    return _sum(
        Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())
        for condition in conditions
    )


def _sum(numbers: Iterable[Combinable]) -> Combinable:
    return sum(numbers, start=Value(0))


def _without_stop_words(words: Sequence[str]) -> list[str]:
    """Without "and", "ve" and their like, which no text is searched for; one query or none."""
    if not words:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word FROM unnest(%s::text[]) WITH ORDINALITY AS asked(word, place)"
            " WHERE numnode(plainto_tsquery('english', word)) > 0"
            " AND numnode(plainto_tsquery('turkish', word)) > 0 ORDER BY place",
            [list(words)],
        )
        return [row[0] for row in cursor.fetchall()]


def _rank_by_looks(
    *, tenant: Tenant, text: str, filters: Filters, now: datetime
) -> tuple[list[nearest.Near], float]:
    """What looks like the words, and the least similarity of what really does; nothing where the
    engine's model reads no words or has no index here."""
    nothing: tuple[list[nearest.Near], float] = ([], 1.0)
    health = engine.read_status(now=now).health
    if health is None or health.model is None:
        return nothing
    model = Model(health.model.name, health.model.version)
    try:
        index = similar.find_index(tenant=tenant, model=model)
        if index is None:
            return nothing
        lend_connection()
        vector = client.Client(settings.INFERENCE_URL).embed_text(text, timeout=_EMBED_TIMEOUT_S)
    except (
        similar.BeingBuilt,
        client.NoWords,
        client.Overloaded,
        client.Unavailable,
        ValueError,
    ):
        return nothing
    near = nearest.find_nearest(
        index=index, wanted=wanting.Wanted(model, vector), filters=filters, limit=RANKED
    )
    return near, index.words_cut_off or USUAL_CUT_OFF_OF_WORDS


def count_found(found: Found) -> Facets:
    """Of everything that was found, whatever page of it is shown. Three queries."""
    return count_facets(Product.objects.filter(id__in=found.ids))
