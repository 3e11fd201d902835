import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from kalas.lib.tenant_rows import policy_sql


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_api_keys"), ("retrieval", "0005_words")]

    operations = [
        migrations.CreateModel(
            name="SearchTest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asked", models.PositiveIntegerField(verbose_name="products asked for")),
                ("recall_1", models.FloatField()),
                ("recall_5", models.FloatField()),
                ("recall_20", models.FloatField()),
                ("tested_at", models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="tested")),
                ("index", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="tests", to="retrieval.indexversion")),
                ("tenant", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant")),
            ],
            options={
                "verbose_name": "test of the search",
                "verbose_name_plural": "tests of the search",
                "indexes": [models.Index(fields=["index", "-tested_at"], name="search_test_newest")],
            },
        ),
        migrations.RunSQL(*policy_sql("retrieval_searchtest")),
    ]
