from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotations.models import TrainedHead
from annotations.reviewing import training


class Command(BaseCommand):
    help = "Heads for all shops, learned from the reviews of those that consented."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        what.add_parser("train", help="Ask for a new version; the jobs process trains it.")
        what.add_parser("list", help="All versions, with what they are better at.")
        changes = what.add_parser("changes", help="What a version would say otherwise.")
        changes.add_argument("number", type=int)
        promote = what.add_parser("promote", help="Use a version from now on.")
        promote.add_argument("number", type=int)
        what.add_parser("roll-back", help="Use the version before, or the model alone.")

    def handle(self, *args: Any, **options: Any) -> None:
        acts = {
            "train": self._train,
            "list": self._list,
            "changes": lambda: self._show_changes(_find(options["number"])),
            "promote": lambda: self._promote(_find(options["number"])),
            "roll-back": self._roll_back,
        }
        acts[options["what"]]()

    def _train(self) -> None:
        try:
            head = training.request_training(tenant=None, by=None, now=timezone.now())
        except training.NoConsent as error:
            raise CommandError("No shop has consented.") from error
        except training.TooFewReviews as error:
            raise CommandError(f"Too few reviews: {error}") from error
        except training.AlreadyTraining as error:
            raise CommandError("One is being trained.") from error
        self.stdout.write(f"Version {head.number} is trained by the jobs process.")

    def _list(self) -> None:
        for head in training.filter_heads(tenant=None).order_by("number"):
            use = ", in use" if head.is_in_use else ""
            self.stdout.write(f"{head.number}: {head} {head.state}{use}")
            for part in head.report.get("keys", ()):
                numbers = f"{part['before']} → {part['after']} of {part['held_out']} right"
                better = "" if part["used"] else " (not used)"
                self.stdout.write(f"   {part['key']}: {numbers}{better}")

    def _show_changes(self, head: TrainedHead) -> None:
        for each in training.list_would_change(head):
            annotation = each.garment.annotation
            for key, before, after, _confidence in each.changes:
                name = annotation.product or annotation.image.name
                self.stdout.write(f"{name}: {key} {before or '—'} → {after or '—'}")

    def _promote(self, head: TrainedHead) -> None:
        try:
            training.promote_head(tenant=None, head_id=head.id, now=timezone.now())
        except training.NotPromotable as error:
            raise CommandError("It is not better than what is in use.") from error
        self.stdout.write(f"Version {head.number} is in use for new photos.")

    def _roll_back(self) -> None:
        head = training.roll_back(tenant=None)
        what = f"Version {head.number}" if head else "The model alone"
        self.stdout.write(f"{what} is in use for new photos.")


def _find(number: int) -> TrainedHead:
    try:
        return training.filter_heads(tenant=None).get(number=number)
    except TrainedHead.DoesNotExist as error:
        raise CommandError(f"There is no version {number}.") from error
