from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotations", "0016_head_weights")]

    operations = [
        migrations.AddField(
            model_name="annotation",
            name="alternatives",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="What it may be where the model saw no garment.",
                verbose_name="alternatives",
            ),
        ),
    ]
