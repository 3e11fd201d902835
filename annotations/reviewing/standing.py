"""What a shop has decided that a new answer of the model has to follow, read at once."""

import json
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from annotations.models import Annotation
from annotations.reviewing.thresholds import Thresholds
from inference.contract import ModelName

_READ = """
    SELECT
        (SELECT coalesce(jsonb_agg(jsonb_build_array(t.key, t.category, t.value)), '[]')
         FROM annotations_reviewthreshold AS t WHERE t.tenant_id = %(tenant)s)::text,
        (SELECT h.id FROM annotations_trainedhead AS h
         WHERE (h.tenant_id = %(tenant)s OR h.tenant_id IS NULL) AND h.is_in_use
            AND h.model_name = %(name)s AND h.model_version = %(version)s
         ORDER BY h.tenant_id NULLS LAST LIMIT 1),
        EXISTS (SELECT FROM annotations_annotation AS a
         WHERE a.image_id = %(image)s AND a.id <> %(annotation)s
            AND a.crop IS NOT DISTINCT FROM %(crop)s::jsonb)
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """`head_id` is of the head in use for this model, the shop's own before that of all shops;
    `is_again`: the same photo and box were asked for before, and people may have reviewed the
    answer."""

    thresholds: Thresholds
    head_id: UUID | None
    is_again: bool


def read_standing(*, annotation: Annotation, model: ModelName) -> Standing:
    """One query: every answer of the engine waits for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            _READ,
            {
                "tenant": annotation.tenant_id,
                "name": model.name,
                "version": model.version,
                "image": annotation.image_id,
                "annotation": annotation.id,
                "crop": json.dumps(annotation.crop) if annotation.crop else None,
            },
        )
        values, head_id, is_again = cursor.fetchone()
    rows = {(key, category): value for key, category, value in json.loads(values)}
    return Standing(Thresholds(annotation.tenant.review_threshold, rows), head_id, is_again)
