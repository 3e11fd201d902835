from django.db import migrations

from kalas.lib.tenant_rows import replan_sql

TABLES = (
    "accounts_apikey",
    "accounts_monthlyusage",
    "accounts_ratebucket",
    "accounts_idempotentrequest",
)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_idempotency_about")]

    operations = [migrations.RunSQL(*replan_sql(table)) for table in TABLES]
