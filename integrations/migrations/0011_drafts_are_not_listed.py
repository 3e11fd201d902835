from django.db import migrations


def unlist_drafts(apps, schema_editor):
    drafts = apps.get_model("integrations", "StoreProduct").objects.filter(state="draft")
    products = apps.get_model("retrieval", "Product").objects
    products.filter(id__in=drafts.values("product")).update(listed=False)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0010_replan"), ("retrieval", "0015_listed")]

    operations = [migrations.RunPython(unlist_drafts, migrations.RunPython.noop)]
