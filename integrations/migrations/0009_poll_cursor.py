from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0008_stores_disconnected")]

    operations = [
        migrations.AddField(
            "store",
            "poll_cursor",
            models.CharField(blank=True, default="", editable=False, max_length=300),
            preserve_default=False,
        ),
        migrations.AddField(
            "store", "poll_began_at", models.DateTimeField(editable=False, null=True)
        ),
    ]
