from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0003_force_row_level_security")]

    operations = [
        migrations.RemoveIndex(model_name="webhookdelivery", name="delivery_due"),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="delivery_due_by_endpoint",
                condition=models.Q(state="waiting"),
            ),
        ),
        migrations.AddField(
            model_name="webhookmessage",
            name="about",
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="webhookmessage",
            index=models.Index(fields=["about"], name="webhook_message_about"),
        ),
    ]
