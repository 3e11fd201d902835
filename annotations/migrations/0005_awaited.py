from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotations", "0004_batch_lanes")]

    operations = [
        migrations.AddField(
            model_name="annotation",
            name="awaited_until",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="annotation",
            index=models.Index(
                fields=["awaited_until"],
                name="annotation_awaited",
                condition=models.Q(state="pending"),
            ),
        ),
    ]
