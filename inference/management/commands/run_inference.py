"""manage.py run_inference: the engine in its own process. Needs no database."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference.listening import AddressUnusable
from inference.server import (
    DEFAULT_CAPACITY,
    EngineConfig,
    EngineFailed,
    serve,
)


class Command(BaseCommand):
    help = "Answer photos over HTTP on a Unix socket or on TCP until SIGTERM."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url",
            default=settings.INFERENCE_URL,
            help="unix:/path or http://host:port (default: INFERENCE_URL, %(default)s)",
        )
        parser.add_argument(
            "--model",
            default=settings.INFERENCE_MODEL,
            help="name or name@version (default: INFERENCE_MODEL, %(default)s)",
        )
        parser.add_argument("--device", default="", help="cpu or cuda (default: cuda if present)")
        parser.add_argument("--workers", type=int, default=0, help="threads (default: by device)")
        parser.add_argument("--max-batch", type=int, default=0, help="photos (default: by device)")
        parser.add_argument(
            "--capacity", type=int, default=DEFAULT_CAPACITY, help="photos that may wait"
        )

    def handle(self, **options: Any) -> None:
        config = EngineConfig(
            url=options["url"],
            model=options["model"],
            device=options["device"],
            workers=options["workers"],
            max_batch=options["max_batch"],
            capacity=options["capacity"],
            models=settings.MODELS,
            families=tuple(settings.INFERENCE_FAMILIES),
            exports=settings.VAR / "exports",
        )
        try:
            serve(config)
        except (AddressUnusable, EngineFailed) as error:
            raise CommandError(str(error)) from error
