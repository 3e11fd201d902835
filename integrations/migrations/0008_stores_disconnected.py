from django.db import migrations, models
from django.db.models import Q

STATES = ["connecting", "active", "paused", "broken"]
CHOICES = [
    ("connecting", "Being connected"),
    ("active", "Connected"),
    ("paused", "Switched off"),
    ("broken", "Needs you"),
    ("leaving", "Being disconnected"),
    ("disconnected", "Disconnected"),
]
REST = Q(platform__in=["woocommerce", "shopify", "custom"]) & Q(
    mode__in=["now", "review", "suggest"]
)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0007_product_annotated")]

    operations = [
        migrations.AlterField(
            "store",
            "state",
            models.CharField(
                "state", max_length=12, choices=CHOICES, default="connecting"
            ),
        ),
        migrations.RemoveConstraint("store", "store_choices"),
        migrations.AddConstraint(
            "store",
            models.CheckConstraint(
                condition=Q(state__in=[*STATES, "leaving", "disconnected"]) & REST,
                name="store_choices",
            ),
        ),
        migrations.RemoveConstraint("store", "store_connected_has_credentials"),
        migrations.AddConstraint(
            "store",
            models.CheckConstraint(
                condition=Q(state__in=["connecting", "disconnected"])
                | Q(credentials__isnull=False),
                name="store_connected_has_credentials",
            ),
        ),
        migrations.AddField(
            "writeback", "published", models.BooleanField(default=False, editable=False)
        ),
    ]
