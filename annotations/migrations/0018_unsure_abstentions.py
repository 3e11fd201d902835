from django.db import migrations

# What is stored waits by the rule that holds from now on; see `reviewing.thresholds`.
UNSURE = """
    UPDATE annotations_annotation AS a
    SET needs_review = true, least_confidence = d.confidence
    FROM (
        SELECT a.id, a.tenant_id, 1 - sum((o ->> 'confidence')::numeric) AS confidence
        FROM annotations_annotation AS a, jsonb_array_elements(a.alternatives) AS o
        WHERE a.state = 'abstained' AND a.reviewed_at IS NULL AND NOT a.needs_review
            AND NOT EXISTS (
                SELECT FROM annotations_annotation AS newer
                WHERE newer.image_id = a.image_id AND newer.state IN ('done', 'abstained')
                    AND newer.crop IS NOT DISTINCT FROM a.crop
                    AND (newer.created_at, newer.id) > (a.created_at, a.id))
        GROUP BY a.id, a.tenant_id
    ) AS d
    JOIN accounts_tenant AS t ON t.id = d.tenant_id
    LEFT JOIN annotations_reviewthreshold AS own
        ON own.tenant_id = t.id AND own.key = 'category' AND own.category = ''
    WHERE a.id = d.id AND d.confidence < coalesce(own.value, t.review_threshold)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("annotations", "0017_abstention_alternatives"),
        ("accounts", "0005_idempotency_about"),
    ]

    operations = [migrations.RunSQL(UNSURE, migrations.RunSQL.noop)]
