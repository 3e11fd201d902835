import django.db.models.deletion
import django.db.models.lookups
from django.db import migrations, models

from kalas.lib.tenant_rows import policy_sql


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_idempotency_about"),
        ("annotations", "0013_original"),
        ("retrieval", "0009_finer_graph"),
    ]

    operations = [
        migrations.CreateModel(
            name="PhotoDetails",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("model", models.CharField(max_length=100)),
                ("vectors", models.BinaryField()),
                ("garment", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotations.garment")),
                ("photo", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name="details", to="retrieval.productimage")),
                ("tenant", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant")),
            ],
            options={
                "verbose_name": "details of a photo",
                "verbose_name_plural": "details of photos",
                # 128 key points of 256 bytes.
                "constraints": [models.CheckConstraint(condition=django.db.models.lookups.GreaterThan(models.Value(32769), models.Func("vectors", function="octet_length", output_field=models.IntegerField())), name="photo_details_are_few")],
            },
        ),
        migrations.RunSQL(*policy_sql("retrieval_photodetails")),
    ]
