"""News for the apps above this one; receivers run in the transaction of what happened."""

from dataclasses import dataclass

from django.dispatch import Signal

from annotations.models import Annotation


@dataclass(frozen=True, slots=True)
class Finished:
    """As it was stored, with its garments; `is_only`: there is no other annotation of this photo,
    nor has a person reviewed it."""

    annotation: Annotation
    is_only: bool


# With `tenant_id` and `finished`, some of the shop's: they are answered (done, abstained or
# failed). As this comes with every photo, it brings more than ids, and as `concerns` the names of
# the `interests` that hold: where none does, it does not come.
annotations_finished = Signal()
# With the ids: a person accepted or corrected it.
annotation_reviewed = Signal()
# With `tenant_id` and `annotation_ids`: they go with their photo.
annotations_deleted = Signal()
# With `tenant_id` and `batch_id`: no annotation of the batch is waiting any more.
batch_finished = Signal()
