from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_row_level_security")]

    operations = [
        migrations.AddField(
            model_name="idempotentrequest",
            name="about",
            field=models.UUIDField(null=True),
        ),
        migrations.AddIndex(
            model_name="idempotentrequest",
            index=models.Index(fields=["about"], name="idempotency_about"),
        ),
    ]
