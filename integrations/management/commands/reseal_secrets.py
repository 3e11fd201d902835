from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations import resealing


class Command(BaseCommand):
    help = "Seals keys of stores and secrets of webhooks again with the first of ENCRYPTION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        done = resealing.reseal_all()
        self.stdout.write(f"{done.sealed} secrets are sealed with the first key.")
        if done.unreadable:
            raise CommandError(
                f"{done.unreadable} can't be opened with any of ENCRYPTION_KEYS and stay as they"
                " are. Keep the old key in the list, or connect those stores again."
            )
