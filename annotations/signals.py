"""News for the apps above this one; receivers run in the transaction of what happened."""

from django.dispatch import Signal

# With `tenant_id` and `annotation_id`: it is answered (done, abstained or failed).
annotation_finished = Signal()
# With `tenant_id` and `annotation_id`: a person accepted or corrected it.
annotation_reviewed = Signal()
# With `tenant_id` and `batch_id`: no annotation of the batch is waiting any more.
batch_finished = Signal()
