from django.db import migrations

from kalas.lib.tenant_rows import replan_sql

TABLES = (
    "integrations_webhookendpoint",
    "integrations_webhookmessage",
    "integrations_webhookdelivery",
    "integrations_webhookattempt",
)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0009_poll_cursor")]

    operations = [migrations.RunSQL(*replan_sql(table)) for table in TABLES]
