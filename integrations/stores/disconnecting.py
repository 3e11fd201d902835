"""Taking leave of a store: its webhooks first, then its keys."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from integrations.stores import addresses, jobs, platforms, troubles
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store, StoreRun, StoreTerm


def leave(*, store_id: UUID, now: datetime) -> None:
    """Remove the webhooks. While the store refuses it is asked again, until a person has enough."""
    store = Store.objects.filter(id=store_id, state=Store.State.LEAVING).first()
    if store is None or store.is_quiet(now):
        return
    try:
        platforms.open_connection(store).remove_webhooks(url=addresses.build_hook_url(store))
    except StoreFailed as error:
        _note_refusal(store, error, now=now)
    else:
        with transaction.atomic():
            # Somebody may have had enough meanwhile, and given new keys.
            rows = Store.objects.select_for_update(of=("self",))
            if rows.filter(id=store.id, state=Store.State.LEAVING).exists():
                forget_keys(store, now=now)


@transaction.atomic
def forget_keys(store: Store, *, now: datetime) -> None:
    """The row stays with its products, their history and the shop's words: see `Store`."""
    store.state, store.credentials, store.webhooks = Store.State.DISCONNECTED, None, []
    store.problem, store.problem_about, store.problem_at = "", "", None
    store.token_sha256, store.token_until = "", None
    store.failures, store.quiet_until = 0, None
    store.pinged_at = store.delivered_at = store.compared_at = None
    store.poll_cursor, store.poll_began_at = "", None
    store.save(
        update_fields=[
            *("poll_cursor", "poll_began_at"),
            *("state", "credentials", "webhooks", "problem", "problem_about", "problem_at"),
            *("token_sha256", "token_until", "failures", "quiet_until"),
            *("pinged_at", "delivered_at", "compared_at"),
        ]
    )
    StoreTerm.objects.filter(store=store).delete()
    open_states = [StoreRun.State.RUNNING, StoreRun.State.PAUSED]
    store.runs.filter(state__in=open_states).update(state=StoreRun.State.CANCELLED, finished_at=now)


@transaction.atomic
def _note_refusal(store: Store, error: StoreFailed, *, now: datetime) -> None:
    wait = troubles.wait_after(store.failures + 1, retry_after=error.retry_after)
    rows = Store.objects.filter(id=store.id, state=Store.State.LEAVING)
    if rows.update(
        problem=error.code,
        problem_about=error.about,
        problem_at=now,
        failures=store.failures + 1,
        quiet_until=now + wait,
    ):
        jobs.wake_poller(store.id, at=now + wait)
