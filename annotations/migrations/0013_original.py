from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotations", "0012_review_carried")]

    operations = [
        migrations.AddField(
            model_name="annotation",
            name="original",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="What an imported model of another system said.",
                verbose_name="in the model's own words",
            ),
        ),
    ]
