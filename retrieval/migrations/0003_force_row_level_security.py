from django.db import migrations

from kalas.lib.tenant_rows import force_sql

TABLES = (
    "retrieval_product",
    "retrieval_productimage",
    "retrieval_catalogueimport",
    "retrieval_importproblem",
    "retrieval_photohash",
    "retrieval_nearduplicate",
)


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0002_row_level_security")]

    operations = [migrations.RunSQL(*force_sql(table)) for table in TABLES]
