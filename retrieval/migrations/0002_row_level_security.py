from django.db import migrations

from kalas.lib.tenant_rows import policy_sql

TABLES = (
    "retrieval_product",
    "retrieval_productimage",
    "retrieval_catalogueimport",
    "retrieval_importproblem",
    "retrieval_photohash",
    "retrieval_nearduplicate",
)


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0001_catalogue")]

    operations = [migrations.RunSQL(*policy_sql(table)) for table in TABLES]
