import django.db.models.deletion
import pgvector.django.vector
from django.db import migrations, models

from kalas.lib.tenant_rows import policy_sql


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_api_keys"),
        ("annotations", "0013_original"),
        ("retrieval", "0013_photo_audit"),
    ]

    operations = [
        migrations.CreateModel(
            name="OutfitVector",
            fields=[
                ("photo", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="outfit_vector", serialize=False, to="retrieval.productimage")),
                ("model", models.CharField(max_length=80, verbose_name="model")),
                ("vector", pgvector.django.vector.VectorField(null=True)),
                ("garment", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotations.garment")),
                ("tenant", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.tenant")),
            ],
            options={"verbose_name": "vector of an outfit", "verbose_name_plural": "vectors of outfits"},
        ),
        migrations.RunSQL(*policy_sql("retrieval_outfitvector")),
    ]
