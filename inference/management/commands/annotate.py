"""manage.py annotate: the engine's pipeline on files, in this process. Needs no database."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference import families, taxonomy
from inference.contract import AnnotationResult, Box, Garment, InvalidImage
from inference.request import Photo, parse_crop
from inference.specs import BadWeights, UnknownModel
from kalas.lib.malloc import tune_allocator

_ABSTENTIONS = {
    "no-garment": "no garment found",
    "too-small": "too small to say",
    "unreadable": "unreadable",
}


class Command(BaseCommand):
    help = "Say what garments the photos show."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("photos", nargs="+", metavar="PHOTO", type=Path)
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument(
            "--crop", type=_crop, metavar="L,T,R,B", help="look only at these pixels"
        )
        parser.add_argument(
            "--model",
            default=settings.INFERENCE_MODEL,
            help="name or name@version (default: INFERENCE_MODEL, %(default)s)",
        )
        parser.add_argument("--device", default="", help="cpu or cuda (default: cuda if present)")

    def handle(self, **options: Any) -> None:
        tune_allocator()
        try:
            annotator = families.load(
                options["model"],
                device=options["device"],
                cache=settings.VAR / "exports",
                store=settings.MODELS,
            )
        except (UnknownModel, BadWeights) as error:
            raise CommandError(str(error)) from error
        failed = 0
        # One by one: the answers come while the next photos are looked at, in little memory.
        for path in options["photos"]:
            try:
                outcome = _annotate(annotator, path, options["crop"])
            except (OSError, InvalidImage) as error:
                failed += 1
                reason = error.strerror if isinstance(error, OSError) else error
                self.stderr.write(f"{path}: {reason}")
            else:
                self.stdout.write(
                    write_json(path, outcome) if options["json"] else write_text(path, outcome)
                )
        if failed:
            raise SystemExit(1)


def _annotate(annotator: families.AnyPipeline, path: Path, crop: Box | None) -> AnnotationResult:
    [outcome] = annotator.annotate([Photo(path.read_bytes(), crop)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def write_json(path: Path, result: AnnotationResult) -> str:
    return json.dumps({"file": str(path), **result.to_json()})


def write_text(path: Path, result: AnnotationResult) -> str:
    head = f"{path}  {result.width} × {result.height}"
    if result.abstained:
        likely = _shares((other.name, other.confidence) for other in result.alternatives)
        perhaps = f", perhaps {likely}" if likely else ""
        return f"{head}\n  {_ABSTENTIONS[result.abstained]}{perhaps}"
    return "\n".join([head, *(line for garment in result.garments for line in _lines(garment))])


def _lines(garment: Garment) -> list[str]:
    names = taxonomy.load()
    category = garment.category
    likely = [(category.name, category.confidence)]
    likely += [(other.name, other.confidence) for other in category.alternatives]
    colours = (f"{names.title('colour', c.name, 'en')} {c.share:.0%}" for c in garment.colours)
    attributes = (
        f"{names.title('attribute', label.key, 'en')}: "
        f"{names.title('value', f'{label.key}:{label.name}', 'en')} {label.confidence:.0%}"
        for label in garment.attributes
    )
    lines = [
        f"  object    {names.title('object', garment.object, 'en')} {garment.confidence:.0%},"
        f" box {','.join(map(str, garment.box.as_tuple()))}",
        f"  category  {_shares(likely)}",
        f"  colours   {', '.join(colours)}",
    ]
    if garment.attributes:
        lines.append(f"  and       {', '.join(attributes)}")
    return lines


def _shares(likely: Iterable[tuple[str, float]]) -> str:
    title = taxonomy.load().title
    return ", ".join(f"{title('category', n, 'en')} {c:.0%}" for n, c in likely if c >= 0.01)


def _crop(text: str) -> Box:
    try:
        return parse_crop(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
