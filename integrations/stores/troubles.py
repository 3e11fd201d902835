"""What is noted when a store fails: how long it is left alone, and when its owners are told."""

import random
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from integrations.stores import jobs
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store

# Spread by a fifth, so that what failed together does not come back together.
WAITS_S = (2, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 28800)
SPREAD = 0.2
LONGEST_QUIET_S = 300
# So often in a row: it is no maintenance page any more.
MOST_REDIRECTS = 20
ALERT_EVERY = timedelta(days=1)
# What a store can't help: only this product, or our own side.
_NOT_THE_STORE = frozenset({"not-kept", "changed-meanwhile", "quota"})


def wait_after(tries: int, *, retry_after: timedelta = timedelta(0)) -> timedelta:
    """Before try number `tries` + 1."""
    wait_s = WAITS_S[min(tries, len(WAITS_S)) - 1]
    spread = random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - no secret
    return max(timedelta(seconds=wait_s * spread), retry_after)


def note_failure(store: Store, error: StoreFailed, *, now: datetime) -> None:
    """Leave the store alone for a while, or until a person has done something."""
    if error.is_breaking:
        note_break(store, error, now=now)
    elif error.is_passing and error.code not in _NOT_THE_STORE:
        _leave_alone(store, error, now=now)
        if error.code == "redirected" and store.failures >= MOST_REDIRECTS:
            note_break(store, StoreFailed("moved", about=error.about), now=now)


def _leave_alone(store: Store, error: StoreFailed, *, now: datetime) -> None:
    """Its lanes fail side by side: every failure counts, and the longest pause holds."""
    with transaction.atomic():
        fresh = Store.objects.select_for_update(no_key=True).get(id=store.id)
        store.failures = fresh.failures + 1
        quiet_s = min(2.0 ** min(store.failures, 10), LONGEST_QUIET_S)
        until = now + max(timedelta(seconds=quiet_s), error.retry_after)
        store.quiet_until = max(until, fresh.quiet_until or until)
        store.save(update_fields=["failures", "quiet_until"])


def note_break(store: Store, error: StoreFailed, *, now: datetime) -> None:
    """Told once, and not where a person switched it off meanwhile."""
    changed = Store.objects.filter(id=store.id, state=Store.State.ACTIVE).update(
        state=Store.State.BROKEN, problem=error.code, problem_about=error.about, problem_at=now
    )
    if changed:
        store.state, store.problem, store.problem_about = (
            Store.State.BROKEN,
            error.code,
            error.about,
        )
        jobs.defer_alert(store)


def note_notice(store: Store, error: StoreFailed, *, now: datetime) -> None:
    """Something that Kalas mended by itself, which the owners should know of; once a day."""
    store.problem, store.problem_about, store.problem_at = error.code, error.about, now
    store.save(update_fields=["problem", "problem_about", "problem_at"])
    if store.alerted_at is None or now - store.alerted_at >= ALERT_EVERY:
        jobs.defer_alert(store)


def note_success(store: Store, *, now: datetime) -> None:
    """Earlier failures count no more; a pause that another lane was asked for meanwhile holds."""
    if store.failures or store.quiet_until:
        is_over = Q(quiet_until=None) | Q(quiet_until__lte=now)
        if Store.objects.filter(is_over, id=store.id).update(failures=0, quiet_until=None):
            store.failures, store.quiet_until = 0, None
