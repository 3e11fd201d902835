"""What is shown of the products that were found, read by one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model

from annotations.models import FashionImage, Garment
from retrieval.looks import Look, Why, explain
from retrieval.models import IndexVersion, Product, ProductImage

AnyModel = TypeVar("AnyModel", bound=Model)


def _pick(model: type[Model], *names: str) -> tuple[str, ...]:
    """In the order in which `from_db` takes them."""
    return tuple(f.attname for f in model._meta.concrete_fields if f.attname in names)


def _name(alias: str, columns: Sequence[str]) -> str:
    return ", ".join(f'{alias}."{column}"' for column in columns)


_PRODUCT = _pick(
    Product,
    *("id", "tenant_id", "store_id", "external_id", "url", "title", "description", "price"),
    *("currency", "stock", "listed", "state", "object_type", "category", "confidence", "colours"),
    *("photos_disagree", "photo_advice", "created_at", "updated_at"),
)
_PHOTO = _pick(ProductImage, "id", "tenant_id", "product_id", "image_id")
_IMAGE = _pick(FashionImage, "id", "tenant_id", "name", "width", "height", "sha256", "created_at")
_GARMENT = _pick(Garment, "id", "object_type", "category", "left", "top", "right", "bottom")
_READ = f"""
SELECT
    ARRAY(SELECT ARRAY[label.key, label.name] FROM annotations_label AS label
        WHERE label.garment_id = garment.id),
    ARRAY(SELECT ARRAY[colour.name, colour.hex, colour.share::text]
        FROM annotations_colour AS colour
        WHERE colour.garment_id = garment.id ORDER BY colour.position),
    {_name("product", _PRODUCT)}, {_name("photo", _PHOTO)}, {_name("image", _IMAGE)},
    {_name("garment", _GARMENT)}
FROM retrieval_embedding AS embedding
JOIN retrieval_productimage AS photo ON photo.id = embedding.photo_id
JOIN retrieval_product AS product ON product.id = photo.product_id
JOIN annotations_fashionimage AS image ON image.id = photo.image_id
JOIN annotations_garment AS garment ON garment.id = embedding.garment_id
WHERE embedding.index_id = %s AND embedding.photo_id = ANY(%s)
"""  # noqa: S608 - names from above


@dataclass(frozen=True, slots=True)
class Match:
    """A product by that photo of it which is most similar."""

    product: Product
    photo: ProductImage
    garment: Garment
    similarity: float
    """The cosine of the two vectors, at most 1."""
    why: Why | None
    details: float | None = None
    """The share (0 to 1) of the asked details that it has; None where they were not compared."""

    @property
    def distance(self) -> float:
        """L2, between 0 and 2."""
        return sqrt(max(2 - 2 * self.similarity, 0.0))


def read_matches(
    *, index: IndexVersion, near: Mapping[UUID, float], look: Look | None
) -> list[Match]:
    """Of these photos with their similarities, in their order, those that are still there. What is
    not shown of them is not read yet. One query or none."""
    if not near:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_READ, [index.id, list(near)])
        rows = [_Row(values) for values in cursor.fetchall()]
    found = {row.photo.id: row for row in rows}
    shown = [(found[id_], similarity) for id_, similarity in near.items() if id_ in found]
    reasons: Sequence[Why | None] = [None] * len(shown)
    if look is not None:
        reasons = explain(look, [row.look for row, _similarity in shown])
    return [
        Match(row.product, row.photo, row.garment, similarity, why)
        for (row, similarity), why in zip(shown, reasons, strict=True)
    ]


class _Row:
    """Of `_READ`."""

    __slots__ = ("garment", "look", "photo", "product")

    def __init__(self, values: Sequence[Any]) -> None:
        labels, colours, *columns = values
        self.product = _take(Product, _PRODUCT, columns)
        self.photo = _take(ProductImage, _PHOTO, columns)
        self.photo.image = _take(FashionImage, _IMAGE, columns)
        self.photo.product = self.product
        self.garment = _take(Garment, _GARMENT, columns)
        self.look = Look(
            object_type=self.garment.object_type,
            category=self.garment.category,
            attributes=frozenset((key, name) for key, name in labels),
            colours=tuple((name, code, float(share)) for name, code, share in colours),
        )


def _take(model: type[AnyModel], names: Sequence[str], columns: list[Any]) -> AnyModel:
    """The row that begins there, of which these names are read; its columns are taken away."""
    values, columns[: len(names)] = columns[: len(names)], []
    return model.from_db(DEFAULT_DB_ALIAS, names, values)
