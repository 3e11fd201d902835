from django.db import migrations

from kalas.lib.tenant_rows import force_sql

TABLES = (
    "integrations_webhookendpoint",
    "integrations_webhookmessage",
    "integrations_webhookdelivery",
    "integrations_webhookattempt",
)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0002_row_level_security")]

    operations = [migrations.RunSQL(*force_sql(table)) for table in TABLES]
