from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0014_outfit_vectors")]

    operations = [
        migrations.AddField(
            model_name="product",
            name="listed",
            field=models.BooleanField(db_default=True, default=True, verbose_name="shown in the shop"),
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(
                condition=models.Q(("listed", False)), fields=["tenant"], name="product_unlisted"
            ),
        ),
    ]
