from django.db import migrations

from kalas.lib.tenant_rows import policy_sql

TABLES = (
    "integrations_webhookendpoint",
    "integrations_webhookmessage",
    "integrations_webhookdelivery",
    "integrations_webhookattempt",
)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_webhooks")]

    operations = [migrations.RunSQL(*policy_sql(table)) for table in TABLES]
