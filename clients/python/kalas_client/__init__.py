"""Client of Kalas's API, synchronous and asynchronous."""

from kalas_client.asynchronous import AsyncKalas
from kalas_client.errors import Problem, Unreachable
from kalas_client.models import (
    Alternative,
    Annotation,
    Attribute,
    Batch,
    BatchItem,
    BatchProgress,
    Box,
    Category,
    Colour,
    Garment,
    Image,
    ModelName,
)
from kalas_client.synchronous import Kalas
from kalas_client.webhooks import Forged, verify_webhook

__all__ = [
    "Alternative",
    "Annotation",
    "AsyncKalas",
    "Attribute",
    "Batch",
    "BatchItem",
    "BatchProgress",
    "Box",
    "Category",
    "Colour",
    "Forged",
    "Garment",
    "Image",
    "Kalas",
    "ModelName",
    "Problem",
    "Unreachable",
    "verify_webhook",
]
