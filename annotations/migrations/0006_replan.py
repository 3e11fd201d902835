from django.db import migrations

from kalas.lib.tenant_rows import replan_sql

TABLES = (
    "annotations_fashionimage",
    "annotations_annotation",
    "annotations_review",
    "annotations_batch",
    "annotations_demoshop",
)


class Migration(migrations.Migration):
    dependencies = [("annotations", "0005_awaited")]

    operations = [migrations.RunSQL(*replan_sql(table)) for table in TABLES]
