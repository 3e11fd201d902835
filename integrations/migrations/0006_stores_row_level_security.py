from django.db import migrations

from kalas.lib.tenant_rows import policy_sql

TABLES = (
    "integrations_store",
    "integrations_storerun",
    "integrations_storeproduct",
    "integrations_storedelivery",
    "integrations_writeback",
    "integrations_storeword",
    "integrations_storeterm",
)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0005_stores")]

    operations = [migrations.RunSQL(*policy_sql(table)) for table in TABLES]
