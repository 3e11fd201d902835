"""Asking stores for what they did not tell: they lose events, and switch their webhooks off."""

import logging
import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from annotations.fetching import AWAY
from integrations.stores import addresses, hints, jobs, lanes, platforms, troubles
from integrations.stores.contract import Connection, RemoteProduct
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store, StoreProduct

logger = logging.getLogger(__name__)

# Clocks of several servers behind one store, and what was being saved while it answered.
OVERLAP = timedelta(minutes=2)
# Of one store's list of changes: others wait for their turn.
LONGEST_S = 600.0
# A place in a list that was left so long ago says nothing any more.
OLDEST_PLACE = timedelta(hours=6)
COMPARE_EVERY = timedelta(hours=20)


def wake_all(*, now: datetime) -> None:
    for store_id in Store.objects.filter(state=Store.State.ACTIVE).values_list("id", flat=True):
        jobs.wake_poller(store_id, at=now)


def poll(*, store_id: UUID, now: datetime) -> None:
    """Ask for what changed since the last time, and look after the webhooks."""
    store = lanes.find_working(store_id, now=now)
    if store is None or store.is_custom:
        return
    try:
        connection = platforms.open_connection(store)
        if not _ask_for_changes(store, connection, now=now):
            # Others first; then it goes on where it stopped.
            jobs.wake_poller(store.id, at=now)
            return
        if store.compared_at is None or now - store.compared_at >= COMPARE_EVERY:
            _compare(store, connection, now=now)
        check_webhooks(store, connection, now=now)
        troubles.note_success(store, now=now)
    except AWAY:
        raise
    except StoreFailed as error:
        logger.info("A store could not be asked: %s", error.code)
        if not error.is_passing:
            _note_place(store, "", None)
        troubles.note_failure(store, error, now=now)


def check_webhooks(store: Store, connection: Connection, *, now: datetime) -> None:
    """Those that are missing or switched off are made anew, and the owners are told of the latter.

    Nothing where the store can't reach this installation: its deliveries would only fail.
    """
    if not addresses.can_be_reached():
        return
    url = addresses.build_hook_url(store)
    found = connection.list_webhooks(url=url)
    had_some = bool(store.webhooks)
    webhooks = connection.ensure_webhooks(url=url)
    known = {webhook.id for webhook in found if webhook.status == "active"}
    mended = [webhook for webhook in webhooks if webhook.id not in known]
    store.webhooks = [
        {"id": each.id, "topic": each.topic, "status": each.status} for each in webhooks
    ]
    store.webhooks_at = now
    store.save(update_fields=["webhooks", "webhooks_at"])
    if mended and had_some:
        troubles.note_notice(store, StoreFailed("webhooks-disabled"), now=now)
    elif store.problem == "webhooks-disabled" and not mended:
        store.problem, store.problem_at = "", None
        store.save(update_fields=["problem", "problem_at"])
    # What happened while nobody was told is found by the next poll, which this one just was.


def _ask_for_changes(store: Store, connection: Connection, *, now: datetime) -> bool:
    """Page by page, each noted together with its place: who is stopped goes on there, with nothing
    left out and nothing asked for twice. False where there is more to read."""
    after = store.modified_after or store.created_at
    if store.poll_began_at is None or now - store.poll_began_at > OLDEST_PLACE:
        _note_place(store, "", None)
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        page = connection.list_products(cursor=store.poll_cursor, modified_after=after)
        began_at = store.poll_began_at or page.store_time or now
        with transaction.atomic():
            changed = _list_changed(store, page.products)
            hints.hint(store=store, external_ids=changed, now=now)
            if page.cursor:
                _note_place(store, page.cursor, began_at)
                continue
            _note_place(store, "", None)
            store.polled_at, store.modified_after = now, began_at - OVERLAP
            store.save(update_fields=["polled_at", "modified_after"])
            return True
    return False


def _note_place(store: Store, cursor: str, began_at: datetime | None) -> None:
    if (store.poll_cursor, store.poll_began_at) != (cursor, began_at):
        store.poll_cursor, store.poll_began_at = cursor, began_at
        store.save(update_fields=["poll_cursor", "poll_began_at"])


def _list_changed(store: Store, products: tuple[RemoteProduct, ...]) -> list[str]:
    """Without those that are known just as they are, such as what Kalas itself wrote."""
    rows = StoreProduct.objects.filter(store=store, external_id__in=[each.id for each in products])
    seen = {
        row.external_id: RemoteProduct.from_json(row.remote)
        for row in rows.only("external_id", "remote", "state")
        if row.remote and row.state != StoreProduct.State.FAILED
    }
    # As a whole: their times are of whole seconds.
    return [each.id for each in products if seen.get(each.id) != each]


def _compare(store: Store, connection: Connection, *, now: datetime) -> None:
    """Nobody tells of products that are deleted for good."""
    connection.list_categories()
    there = connection.list_ids()
    rows = StoreProduct.objects.filter(store=store).exclude(state=StoreProduct.State.GONE)
    missing = [each for each in rows.values_list("external_id", flat=True) if each not in there]
    with transaction.atomic():
        hints.hint(store=store, external_ids=missing, now=now)
        store.compared_at = now
        store.save(update_fields=["compared_at"])
