from django.db import migrations

from kalas.lib.tenant_rows import policy_sql, policy_sql_of_child

TABLES = (
    "annotations_fashionimage",
    "annotations_annotation",
    "annotations_review",
    "annotations_batch",
    "annotations_demoshop",
)
CHILDREN = (
    ("annotations_garment", "annotation_id", "annotations_annotation"),
    ("annotations_label", "garment_id", "annotations_garment"),
    ("annotations_colour", "garment_id", "annotations_garment"),
    ("annotations_batchitem", "batch_id", "annotations_batch"),
)


class Migration(migrations.Migration):
    dependencies = [("annotations", "0002_api")]

    operations = [
        *(migrations.RunSQL(*policy_sql(table)) for table in TABLES),
        *(migrations.RunSQL(*policy_sql_of_child(*child)) for child in CHILDREN),
    ]
