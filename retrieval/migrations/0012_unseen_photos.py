import django.db.models.deletion
from django.db import migrations, models

from kalas.lib.tenant_rows import policy_sql

class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_idempotency_about"), ("annotations", "0013_original"), ("retrieval", "0011_replan")]

    operations = [
        migrations.CreateModel(
            name="UnseenPhoto",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("garment", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotations.garment")),
                ("index", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="unseen", to="retrieval.indexversion")),
                ("photo", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="retrieval.productimage")),
                ("tenant", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant")),
            ],
            options={
                "verbose_name": "photo without a vector",
                "verbose_name_plural": "photos without a vector",
                "constraints": [models.UniqueConstraint(fields=("index", "photo"), name="unseen_once_per_index")],
            },
        ),
        migrations.RunSQL(*policy_sql("retrieval_unseenphoto")),
        # What was in the array is asked about once more.
        migrations.RemoveField(model_name="indexversion", name="unseen"),
    ]
