from django.db import migrations, models

INDEX = models.Index(fields=["tenant", "source"], name="product_image_by_source")
BUILD = (
    "CREATE INDEX CONCURRENTLY product_image_by_source"
    " ON retrieval_productimage (tenant_id, source)"
)
DROP = "DROP INDEX CONCURRENTLY IF EXISTS product_image_by_source"


class Migration(migrations.Migration):
    # PostgreSQL builds no index concurrently inside a transaction.
    atomic = False

    dependencies = [("retrieval", "0015_listed")]

    operations = [
        # Each photo of an archive is looked up by its name. One that was interrupted can be run again.
        migrations.RunSQL(
            [DROP, BUILD],
            [DROP],
            state_operations=[migrations.AddIndex(model_name="productimage", index=INDEX)],
        ),
    ]
