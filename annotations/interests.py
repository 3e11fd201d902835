"""Who wants to know that photos were annotated: asked of the database at once for all apps.

This comes with every photo, and mostly nobody does. An app says by a condition what its receiver of
`annotations_finished` needs to hold, and the receiver is told whether it does.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

# Arrays as PostgreSQL guesses them, else it would plan by their length anew for each photo.
PHOTOS = "ANY(ARRAY(SELECT unnest(%(images)s::uuid[])))"
ANNOTATIONS = "ANY(ARRAY(SELECT unnest(%(annotations)s::uuid[])))"

_conditions: dict[str, str] = {}


def add(name: str, condition: str) -> None:
    """SQL about `%(tenant)s`, PHOTOS and ANNOTATIONS, constant: it is worded once."""
    _conditions[name] = condition


def find(
    *, tenant_id: UUID, annotation_ids: Sequence[UUID], image_ids: Sequence[UUID]
) -> frozenset[str]:
    """The names of those that hold. One query."""
    columns = ", ".join(_conditions.values())
    asked: dict[str, Any] = {
        "tenant": tenant_id,
        "annotations": list(annotation_ids),
        "images": list(image_ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}", asked)
        return frozenset(
            name for name, holds in zip(_conditions, cursor.fetchone(), strict=True) if holds
        )
