"""manage.py export_onnx: make and check the networks that the engine uses on a CPU."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference import export, exports, specs
from kalas.lib.malloc import tune_allocator


class Command(BaseCommand):
    help = (
        "Export a model for ONNX Runtime and compare it with torch. The engine does this by "
        "itself at its first start; at installation it saves that start the time."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--model",
            default=settings.INFERENCE_MODEL,
            help="name or name@version (default: INFERENCE_MODEL, %(default)s)",
        )

    def handle(self, **options: Any) -> None:
        tune_allocator()
        try:
            spec = specs.find(options["model"])
            if found := exports.find(spec, cache=settings.VAR / "exports"):
                self.stdout.write(f"{spec.choice} was exported before. {found.reason}".strip())
                return
            errors = export.export(spec, cache=settings.VAR / "exports")
        except (specs.UnknownModel, specs.BadWeights, OSError) as problem:
            raise CommandError(str(problem)) from problem
        for part, error in errors.items():
            self.stdout.write(f"{part:10} differs from torch by {error:.1e}")
        if max(errors.values()) > exports.MAX_ERROR:
            raise CommandError(f"{spec.choice} will run in torch: that is too much.")
