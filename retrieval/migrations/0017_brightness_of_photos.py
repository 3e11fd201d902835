from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0016_photos_by_source")]

    operations = [
        migrations.AddField(
            model_name="photohash", name="brightness", field=models.BinaryField(null=True)
        )
    ]
