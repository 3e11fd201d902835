from typing import Any

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models

from retrieval import describing

# English and Turkish word stems, and what is written as it is typed without accents.
FUNCTION = """
CREATE FUNCTION kalas_search_vector(title text, code text, labels text, description text)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(to_tsvector('english', title), 'A')
    || setweight(to_tsvector('turkish', title), 'A')
    || setweight(to_tsvector('simple', lower(regexp_replace(
        normalize(translate(title, 'ıİI', 'iii'), NFKD), '[\\u0300-\\u036f]', '', 'g'))), 'A')
    || setweight(to_tsvector('simple', lower(code)), 'A')
    || setweight(to_tsvector('english', labels), 'B')
    || setweight(to_tsvector('turkish', labels), 'B')
    || setweight(to_tsvector('simple', lower(regexp_replace(
        normalize(translate(labels, 'ıİI', 'iii'), NFKD), '[\\u0300-\\u036f]', '', 'g'))), 'B')
    || setweight(to_tsvector('english', left(description, 5000)), 'D')
    || setweight(to_tsvector('turkish', left(description, 5000)), 'D')
"""


def describe_products(apps: Any, schema_editor: Any) -> None:
    products = apps.get_model("retrieval", "Product").objects.using(schema_editor.connection.alias)
    labels = apps.get_model("annotations", "Label").objects.using(schema_editor.connection.alias)
    for product in products.exclude(category="").only(
        "id", "garment_id", "object_type", "category", "colours"
    ).iterator():
        products.filter(id=product.id).update(
            label_words=describing.describe(
                object_type=product.object_type,
                category=product.category,
                colours=product.colours,
                attributes=labels.filter(garment_id=product.garment_id).values_list("key", "name"),
            )
        )


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0004_search_index")]

    operations = [
        migrations.RunSQL(
            FUNCTION, "DROP FUNCTION kalas_search_vector(text, text, text, text)"
        ),
        migrations.AddField(
            model_name="product",
            name="label_words",
            field=models.TextField(blank=True, default="", editable=False),
        ),
        migrations.RunPython(describe_products, migrations.RunPython.noop),
        migrations.AddField(
            model_name="product",
            name="search",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Func("title", "external_id", "label_words", "description", function="kalas_search_vector"),
                output_field=django.contrib.postgres.search.SearchVectorField(),
            ),
        ),
        migrations.AddIndex(
            model_name="product",
            index=django.contrib.postgres.indexes.GinIndex(fields=["search"], name="product_search"),
        ),
    ]
