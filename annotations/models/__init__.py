"""The app's tables: `core` holds photos and what is found on them, `reviewing` who reviews them."""

from annotations.models.core import (
    Annotation,
    AnnotationQuerySet,
    Batch,
    BatchItem,
    Colour,
    DemoShop,
    FashionImage,
    FashionImageQuerySet,
    Garment,
    GarmentQuerySet,
    Label,
    Origin,
    Review,
    TenantQuerySet,
)
from annotations.models.reviewing import (
    ReviewItem,
    ReviewOutcome,
    ReviewSettings,
    ReviewTask,
    ReviewThreshold,
    TrainedHead,
)

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
    "ReviewOutcome",
    "ReviewSettings",
    "ReviewTask",
    "ReviewThreshold",
    "TenantQuerySet",
    "TrainedHead",
]
