from django.db import migrations

from kalas.lib.tenant_rows import replan_sql

TABLES = (
    "retrieval_product",
    "retrieval_productimage",
    "retrieval_catalogueimport",
    "retrieval_importproblem",
    "retrieval_photohash",
    "retrieval_nearduplicate",
    "retrieval_indexversion",
    "retrieval_activeindex",
    "retrieval_embedding",
    "retrieval_searchtest",
)


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0010_photo_details")]

    operations = [migrations.RunSQL(*replan_sql(table)) for table in TABLES]
