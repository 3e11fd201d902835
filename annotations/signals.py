"""News for the apps above this one; receivers run in the transaction of what happened."""

from django.dispatch import Signal

# With `tenant_id`, `annotation_id` and `image_id`: it is answered (done, abstained or failed). As
# this comes with every photo, also with `annotation`, as it was stored with its garments, and
# `is_only`: there is no other of this photo, nor has a person reviewed it.
annotation_finished = Signal()
# With the ids: a person accepted or corrected it.
annotation_reviewed = Signal()
# With `tenant_id` and `annotation_ids`: they go with their photo.
annotations_deleted = Signal()
# With `tenant_id` and `batch_id`: no annotation of the batch is waiting any more.
batch_finished = Signal()
