"""The app's tables: the catalogue, its imports and photos, and the indexes that search them."""

from retrieval.models.imports import CatalogueImport, ImportProblem
from retrieval.models.indexes import (
    ActiveIndex,
    Embedding,
    IndexVersion,
    PhotoDetails,
    SearchTest,
    UnseenPhoto,
)
from retrieval.models.photos import NearDuplicate, OutfitVector, PhotoHash, PhotoMeasures
from retrieval.models.products import LONGEST_SOURCE, Product, ProductImage, ProductImageQuerySet

__all__ = [
    "LONGEST_SOURCE",
    "ActiveIndex",
    "CatalogueImport",
    "Embedding",
    "ImportProblem",
    "IndexVersion",
    "NearDuplicate",
    "OutfitVector",
    "PhotoDetails",
    "PhotoHash",
    "PhotoMeasures",
    "Product",
    "ProductImage",
    "ProductImageQuerySet",
    "SearchTest",
    "UnseenPhoto",
]
