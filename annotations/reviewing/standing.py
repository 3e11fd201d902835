"""What a shop has decided that a new answer of the model has to follow, read at once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from annotations.models import Annotation
from annotations.reviewing.thresholds import Thresholds
from inference.contract import ModelName

_READ = """
    SELECT
        (SELECT shop.review_threshold FROM accounts_tenant AS shop WHERE shop.id = %(tenant)s),
        (SELECT coalesce(jsonb_agg(jsonb_build_array(t.key, t.category, t.value)), '[]')
         FROM annotations_reviewthreshold AS t WHERE t.tenant_id = %(tenant)s)::text,
        (SELECT h.id FROM annotations_trainedhead AS h
         WHERE (h.tenant_id = %(tenant)s OR h.tenant_id IS NULL) AND h.is_in_use
            AND h.model_name = %(name)s AND h.model_version = %(version)s
         ORDER BY h.tenant_id NULLS LAST LIMIT 1),
        ARRAY(SELECT new.id
         FROM unnest(
            -- Arrays whose length PostgreSQL does not see: else it would plan anew each time.
            ARRAY(SELECT unnest(%(ids)s::uuid[])),
            ARRAY(SELECT unnest(%(images)s::uuid[])),
            ARRAY(SELECT unnest(%(crops)s::text[]))
         ) AS new (id, image, crop)
         WHERE EXISTS (SELECT FROM annotations_annotation AS a
            WHERE a.image_id = new.image AND a.id <> new.id
               AND a.crop IS NOT DISTINCT FROM new.crop::jsonb))
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """`head_id` is of the head in use for this model, the shop's own before that of all shops;
    `is_again`: the same photo and box were asked for before, and people may have reviewed the
    answer."""

    thresholds: Thresholds
    head_id: UUID | None
    is_again: bool


def read_standings(*, annotations: Sequence[Annotation], model: ModelName) -> list[Standing]:
    """Of annotations of one shop, in their order. One query: every answer of the engine waits for
    it."""
    with connection.cursor() as cursor:
        cursor.execute(
            _READ,
            {
                "tenant": annotations[0].tenant_id,
                "name": model.name,
                "version": model.version,
                "ids": [each.id for each in annotations],
                "images": [each.image_id for each in annotations],
                "crops": [json.dumps(each.crop) if each.crop else None for each in annotations],
            },
        )
        least, values, head_id, again = cursor.fetchone()
    rows = {(key, category): value for key, category, value in json.loads(values)}
    thresholds = Thresholds(least, rows)
    return [Standing(thresholds, head_id, is_again=each.id in again) for each in annotations]
