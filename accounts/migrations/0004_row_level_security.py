from django.db import migrations

from kalas.lib.tenant_rows import policy_sql, policy_sql_of_child

# Not the memberships and invitations, which are about people of several shops.
TABLES = (
    "accounts_apikey",
    "accounts_monthlyusage",
    "accounts_ratebucket",
    "accounts_idempotentrequest",
)
CHILDREN = (("accounts_dailyusage", "key_id", "accounts_apikey"),)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_api_keys")]

    operations = [
        *(migrations.RunSQL(*policy_sql(table)) for table in TABLES),
        *(migrations.RunSQL(*policy_sql_of_child(*child)) for child in CHILDREN),
    ]
