from django.db import migrations

from kalas.lib.tenant_rows import policy_sql

TABLES = (
    "annotations_reviewtask",
    "annotations_reviewthreshold",
    "annotations_reviewsettings",
)
# What waits already takes its place in the queue.
LEAST_SURE = """
    UPDATE annotations_annotation AS a SET least_confidence = g.least
    FROM (SELECT annotation_id, min(category_confidence) AS least
          FROM annotations_garment WHERE "primary" GROUP BY 1) AS g
    WHERE g.annotation_id = a.id AND a.needs_review
"""
REVIEWED = """
    UPDATE annotations_annotation AS a SET reviewed_at = r.latest, version = r.number
    FROM (SELECT annotation_id, max(created_at) AS latest, count(*) AS number
          FROM annotations_review GROUP BY 1) AS r
    WHERE r.annotation_id = a.id
"""


class Migration(migrations.Migration):
    dependencies = [("annotations", "0007_reviewing")]

    operations = [
        *(migrations.RunSQL(*policy_sql(table)) for table in TABLES),
        migrations.RunSQL(LEAST_SURE, migrations.RunSQL.noop),
        migrations.RunSQL(REVIEWED, migrations.RunSQL.noop),
    ]
