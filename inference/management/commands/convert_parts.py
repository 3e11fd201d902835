from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.wizard import parts
from inference.wizard.parts import BadParts


class Command(BaseCommand):
    help = "Fashion Wizard's maps of parts: a folder of coloured PNGs to COCO's JSON, or back."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, help="a folder of PNGs, or DeepFashion's JSON")
        parser.add_argument("target", type=Path, help="a JSON file, or a folder")

    def handle(self, **options: Any) -> None:
        source, target = options["source"], options["target"]
        try:
            count = (_to_json if source.is_dir() else _to_pngs)(source, target)
        except BadParts as error:
            raise CommandError(str(error), returncode=2) from error
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error}", returncode=2) from error
        self.stdout.write(f"{count} maps are in {target}")


def _to_json(source: Path, target: Path) -> int:
    maps = {}
    for path in sorted(source.glob("*.png")):
        try:
            maps[path.name] = parts.read_png(path.read_bytes())
        except BadParts as error:
            raise BadParts(f"{path.name}: {error}") from error
    if not maps:
        raise BadParts(f"There is no PNG in {source}.")
    target.write_text(parts.write_json(maps))
    return len(maps)


def _to_pngs(source: Path, target: Path) -> int:
    found = parts.read_json(source)
    for name in found:
        if Path(name).name != name or name.startswith("."):
            raise BadParts(f"{name!r} is no file name.")
    target.mkdir(parents=True, exist_ok=True)
    for name, (map_, _) in found.items():
        (target / f"{Path(name).stem}.png").write_bytes(parts.write_png(map_))
    return len(found)
