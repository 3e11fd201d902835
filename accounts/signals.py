"""News for the apps above this one; receivers run in the transaction that tells them."""

from django.dispatch import Signal

# Sent with `tenant_id`.
api_key_closed = Signal()
# With `tenant_id` and `threshold`: what the shop wants reviewed is another.
review_threshold_changed = Signal()
