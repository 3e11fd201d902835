"""The app's tables: photos, what is found on them, and what people say about that."""

from annotations.models.annotations import Annotation, AnnotationQuerySet
from annotations.models.batches import Batch, BatchItem
from annotations.models.garments import Colour, Garment, GarmentQuerySet, Label, Origin
from annotations.models.heads import TrainedHead
from annotations.models.photos import DemoShop, FashionImage, FashionImageQuerySet
from annotations.models.review_jobs import ReviewJob
from annotations.models.reviewing import (
    ReviewItem,
    ReviewOutcome,
    ReviewSettings,
    ReviewTask,
    ReviewThreshold,
)
from annotations.models.reviews import Review
from annotations.models.rows import TenantQuerySet

__all__ = [
    "Annotation",
    "AnnotationQuerySet",
    "Batch",
    "BatchItem",
    "Colour",
    "DemoShop",
    "FashionImage",
    "FashionImageQuerySet",
    "Garment",
    "GarmentQuerySet",
    "Label",
    "Origin",
    "Review",
    "ReviewItem",
    "ReviewJob",
    "ReviewOutcome",
    "ReviewSettings",
    "ReviewTask",
    "ReviewThreshold",
    "TenantQuerySet",
    "TrainedHead",
]
