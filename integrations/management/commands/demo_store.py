import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from integrations import demo_store

HINT = "Start the house with DEMO_STORE_PORT=8088 make up, which opens the store as well."


class Command(BaseCommand):
    help = "Opens a simulated WooCommerce store that is connected to the demo shop, until Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        port = settings.DEMO_STORE_PORT
        if not port:
            raise CommandError(HINT)
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        try:
            with demo_store.run(port=port, now=timezone.now()) as store:
                connections.close_all()
                self.stdout.write(f"The simulated store is at {store.url}/")
                stopped.wait()
        except demo_store.NoDemoShop as error:
            raise CommandError("There is no demo shop. Run manage.py load_demo first.") from error
        except OSError as error:
            raise CommandError(f"Port {port} can't be used: {error.strerror}.") from error
