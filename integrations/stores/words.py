"""Labels → the words of a shop, and back."""

import re
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from annotations.models import Garment, Label, Origin
from inference import taxonomy
from integrations.stores.changes import Wanted, Words, fold
from integrations.stores.contract import RemoteProduct
from integrations.stores.models import Platform, Store
from retrieval.models import Product, ProductImage

LONGEST_WORD = 200
_MARKUP = re.compile(r"</?[A-Za-z][^>]*>")
LANGUAGES = ("en", "tr")
COLOUR = "colour"
_OR = (" or ", " veya ", " ya da ")
_COLOUR_NAMES = {"en": "Colour", "tr": "Renk"}
# Of a garment's pixels, for a colour to be said at all.
LEAST_SHARE = 0.2
MOST_COLOURS = 2
# As attributes they are useful, as tags they say nothing.
NOT_TAGS = frozenset({"gender", "age-group"})
NO_TAG = frozenset({"value:pattern:solid"})


class Dictionary:
    """The words of one store: its own, else the taxonomy's in its language."""

    def __init__(self, *, language: str, own: Mapping[str, str]) -> None:
        self._language = language
        self._own = own

    def word(self, label: str) -> str:
        """Empty where the shop does not want it."""
        own = self._own.get(label)
        return self.suggest(label) if own is None else _clean(own)

    def suggest(self, label: str) -> str:
        """The taxonomy's word for "category:t-shirt", "attribute:pattern", "value:pattern:striped"
        or "colour:navy-blue"."""
        kind, _colon, name = label.partition(":")
        if label == f"attribute:{COLOUR}":
            return _COLOUR_NAMES.get(self._language, _COLOUR_NAMES["en"])
        title = taxonomy.load().title(kind, name, self._language)  # type: ignore[arg-type]
        # "Hoodie or sweatshirt" is what is meant, but not what a shop writes.
        if kind == "category" and any(each in title for each in _OR):
            word = taxonomy.words("category", name, self._language)[0]
            return word[:1].upper() + word[1:]
        return title

    def spellings(self, label: str) -> list[str]:
        """All words that mean the label, the shop's first."""
        kind, _colon, name = label.partition(":")
        found = [self.word(label), self.suggest(label)]
        for language in (self._language, *LANGUAGES):
            try:
                found += taxonomy.words(kind, name, language)
            except taxonomy.UnknownLabel:
                continue
        return [each for each in dict.fromkeys(found) if each]

    def find_all(self, labels: Sequence[str], words: Iterable[str]) -> list[str]:
        """The names of the labels that these words mean, in the words' order, each once."""
        found = (self.find(labels, [word]) for word in words)
        return list(dict.fromkeys(each.rpartition(":")[2] for each in found if each))

    def find(self, labels: Iterable[str], words: Iterable[str]) -> str:
        """The label that one of these words means, in singular or plural; empty where none does."""
        wanted = set(map(fold, words))
        for label in labels:
            if any(wanted & set(_list_forms(each)) for each in self.spellings(label)):
                return label
        return ""


def read_dictionary(store: Store) -> Dictionary:
    """One query."""
    own = dict(store.words.values_list("label", "word"))
    return Dictionary(language=store.language, own=own)


def build_wanted(
    *,
    store: Store,
    product: Product,
    remote: RemoteProduct,
    dictionary: Dictionary,
    categories: Sequence[str],
) -> Wanted:
    """What the product should carry by what its photos show and people said; a few queries.

    `categories` are those that the store has.
    """
    garment = product.garment
    if garment is None:
        return Wanted()
    labels = [each for each in garment.labels.all() if _is_sure(each, store)]
    colours = _list_colours(garment)
    is_sure = garment.category_origin != Origin.MODEL or (
        garment.category_confidence >= store.threshold
    )
    category = f"category:{garment.category}" if is_sure else ""
    values = [f"value:{each.key}:{each.name}" for each in labels if each.key not in NOT_TAGS]
    tags = [category, *(f"colour:{name}" for name in colours), *values]
    return Wanted(
        tags=_name_tags(tags, dictionary) if store.write_tags else {},
        category=_name_category(category, store, dictionary, categories),
        category_label=category,
        attributes=_name_attributes(labels, colours, dictionary) if store.write_attributes else (),
        alts=_describe_photos(store, product, remote, dictionary) if store.write_alt else {},
    )


def _clean(word: str) -> str:
    """As stores keep a term: without markup, in one piece, and not endless."""
    text = _MARKUP.sub("", word).replace("|", "/")
    return " ".join(text.split())[:LONGEST_WORD].strip()


def _list_forms(word: str) -> list[str]:
    """Shops name categories in the plural; case folded."""
    stem = word[:-1] if word.endswith("y") else ""
    forms = [word, *(word + ending for ending in ("s", "es", "lar", "ler"))]
    return [fold(each) for each in (*forms, *([f"{stem}ies"] if stem else []))]


def list_labels() -> dict[str, list[str]]:
    """All labels by the group under which a page shows them."""
    known = taxonomy.load()
    groups = {
        "category": [f"category:{each.name}" for each in known.categories],
        COLOUR: [f"attribute:{COLOUR}", *(f"colour:{each.name}" for each in known.colours)],
    }
    for attribute in known.attributes:
        values = [f"value:{attribute.key}:{each.name}" for each in attribute.values]
        groups[attribute.key] = [f"attribute:{attribute.key}", *values]
    return groups


def list_colours() -> list[str]:
    return [f"colour:{each.name}" for each in taxonomy.load().colours]


def list_values(key: str) -> list[str]:
    """The labels of an attribute's values; nothing for one that is not the taxonomy's."""
    return [each for each in list_labels().get(key, ()) if each.startswith(f"value:{key}:")]


def _is_sure(label: Label, store: Store) -> bool:
    return label.origin != Origin.MODEL or label.confidence >= store.threshold


def _list_colours(garment: Garment) -> list[str]:
    found = sorted(garment.colours.all(), key=lambda each: each.position)
    wide = [each.name for each in found if each.share >= LEAST_SHARE]
    return (wide or [each.name for each in found[:1]])[:MOST_COLOURS]


def _name_tags(labels: Iterable[str], dictionary: Dictionary) -> dict[str, str]:
    named: dict[str, str] = {}
    for label in labels:
        word = dictionary.word(label) if label and label not in NO_TAG else ""
        if word and fold(word) not in set(map(fold, named)):
            named[word] = label
    return named


def _name_category(
    label: str, store: Store, dictionary: Dictionary, categories: Sequence[str]
) -> str:
    """One that the store has, whatever it calls it; a new one only where that is allowed."""
    if not label or not store.write_category or not dictionary.word(label):
        return ""
    there = {fold(each): each for each in categories}
    for spelling in dictionary.spellings(label):
        for form in _list_forms(spelling):
            if form in there:
                return there[form]
    # Shopify has a taxonomy of its own, the same for all stores, where names are searched for.
    may_name = store.create_categories or store.platform == Platform.SHOPIFY
    return dictionary.word(label) if may_name else ""


def _name_attributes(
    labels: Iterable[Label], colours: Sequence[str], dictionary: Dictionary
) -> tuple[Words, ...]:
    by_key: dict[str, list[str]] = {}
    if colours:
        by_key[COLOUR] = [f"colour:{name}" for name in colours]
    for label in labels:
        by_key.setdefault(label.key, []).append(f"value:{label.key}:{label.name}")
    named = []
    for key, values in by_key.items():
        name = dictionary.word(f"attribute:{key}")
        options = tuple(word for each in values if (word := dictionary.word(each)))
        if name and options:
            named.append(Words(key, name, options, tuple(values)))
    return tuple(named)


def _describe_photos(
    store: Store, product: Product, remote: RemoteProduct, dictionary: Dictionary
) -> dict[str, str]:
    """For each photo what of the product it shows, for people who don't see it."""
    photos = ProductImage.objects.filter(product=product, garment__isnull=False)
    rows = photos.select_related("garment").prefetch_related("garment__labels", "garment__colours")
    shown = {photo.source: photo.garment for photo in rows}
    texts = {}
    for image in remote.images:
        garment = shown.get(image.url)
        if garment is not None:
            words = _describe(store, garment, dictionary)
            texts[image.id] = f"{remote.title}: {words}" if remote.title else words
    return texts


def _describe(store: Store, garment: Garment, dictionary: Dictionary) -> str:
    """Colours and pattern stand before the noun, in English and in Turkish."""
    patterns = [
        f"value:{each.key}:{each.name}"
        for each in garment.labels.all()
        if each.key == "pattern" and each.name != "solid" and _is_sure(each, store)
    ]
    colours = [f"colour:{name}" for name in _list_colours(garment)[:1]]
    words = [dictionary.word(each) for each in (*colours, *patterns)]
    words.append(dictionary.word(f"category:{garment.category}"))
    return " ".join(taxonomy.lower(each, store.language) for each in words if each)


def find_product_ids(image_ids: Iterable[UUID]) -> list[UUID]:
    """Of the products with these photos."""
    photos = ProductImage.objects.filter(image__in=list(image_ids))
    return list(photos.values_list("product_id", flat=True).distinct())
