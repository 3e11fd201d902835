from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotations", "0003_row_level_security")]

    operations = [
        migrations.AddField(
            model_name="batchitem",
            name="tries",
            field=models.PositiveSmallIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="batchitem",
            name="due_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                fields=["tenant"], name="batch_unfinished", condition=models.Q(finished_at=None)
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                fields=["batch"], name="batch_item_waiting", condition=models.Q(taken_at=None)
            ),
        ),
    ]
