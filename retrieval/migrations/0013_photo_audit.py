import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

from kalas.lib.tenant_rows import policy_sql


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_api_keys"),
        ("annotations", "0013_original"),
        ("retrieval", "0012_unseen_photos"),
    ]

    operations = [
        migrations.AddField(
            model_name="product",
            name="photo_advice",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=16), blank=True, default=list, editable=False, size=None
            ),
        ),
        migrations.AddIndex(
            model_name="product",
            index=django.contrib.postgres.indexes.GinIndex(fields=["photo_advice"], name="product_photo_advice"),
        ),
        migrations.CreateModel(
            name="PhotoMeasures",
            fields=[
                ("image", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="photo_measures", serialize=False, to="annotations.fashionimage")),
                ("sharpness", models.FloatField()),
                ("brightness", models.FloatField()),
                ("skin", models.FloatField()),
                ("plain", models.BooleanField()),
                ("tenant", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant")),
            ],
            options={"verbose_name": "measures of a photo", "verbose_name_plural": "measures of photos"},
        ),
        migrations.RunSQL(*policy_sql("retrieval_photomeasures")),
    ]
