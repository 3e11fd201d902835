from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from annotations import demo


class Command(BaseCommand):
    help = "Makes the demo shop with its log-in, once; the jobs annotate its photos."

    def handle(self, *args: Any, **options: Any) -> None:
        stored = demo.load_demo(now=timezone.now())
        if stored:
            self.stdout.write(f"The demo shop got {stored} photos.")
