from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.etryon import names as etryon
from inference.mmfashion.importing import CannotImport, import_weights, say_size
from inference.mmfashion.names import BadNames
from inference.networks.mmfashion import released


class Command(BaseCommand):
    help = (
        "Bring weights of MMFashion, eTryOn or SuperPoint in. Needs no database; executes nothing."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="the .pth file")
        parser.add_argument(
            "--config",
            required=True,
            metavar="CONFIG",
            help="MMFashion's configuration file, the name of a released one "
            f"({', '.join(released.CONFIGS)}), of eTryOn's ({', '.join(etryon.CONFIGS)}), "
            "or superpoint",
        )
        parser.add_argument("--part", default="", help="GMM or TOM, of CP-VTON's file")
        parser.add_argument("--name", default="", help="what the model is called here")
        parser.add_argument(
            "--labels", type=Path, help="list_category_cloth.txt, or a class a line"
        )
        parser.add_argument("--attributes", type=Path, help="list_attr_cloth.txt, or `KEY: NAME`s")
        parser.add_argument("--spaces", type=Path, help="typespaces.p, of a recommender")
        parser.add_argument("--source", default="", help="where the weights come from")
        parser.add_argument("--licence", default="", help="what they may be used for")
        parser.add_argument("--store", type=Path, default=settings.MODELS)

    def handle(self, **options: Any) -> None:
        try:
            done = import_weights(
                options["file"],
                config=options["config"],
                store=options["store"],
                name=options["name"],
                part=options["part"],
                labels=options["labels"],
                attributes=options["attributes"],
                spaces=options["spaces"],
                source=options["source"],
                licence=options["licence"],
            )
        except (CannotImport, BadNames) as error:
            raise CommandError(str(error), returncode=2) from error
        except OSError as error:
            raise CommandError(f"The store cannot be written: {error}", returncode=2) from error
        if done.counters:
            self.stdout.write(f"{done.counters} batch counters were missing; they begin at 0.")
        self.stdout.write(
            f"{done.spec.choice}: {done.tensors} tensors, all as the configuration says. "
            f"It needs {say_size(done.memory)} of memory to answer."
        )
