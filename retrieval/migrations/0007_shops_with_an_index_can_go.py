import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0006_search_test")]

    operations = [
        migrations.AlterField(
            model_name="activeindex",
            name="index",
            field=models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="retrieval.indexversion"),
        ),
    ]
