from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_replan")]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="model_family",
            field=models.CharField(blank=True, default="", max_length=200, verbose_name="model family"),
            preserve_default=False,
        ),
    ]
