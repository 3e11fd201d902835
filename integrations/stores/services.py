"""Every write of connected stores that a person asks for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Membership, Tenant
from integrations.stores import disconnecting, jobs
from integrations.stores.connecting import check_may_manage, lock_store
from integrations.stores.models import (
    Store,
    StoreProduct,
    StoreRun,
    StoreWord,
    WriteBack,
)

SETTINGS = (
    *("name", "mode", "threshold", "language", "write_tags", "write_category"),
    *("write_attributes", "write_alt", "create_categories", "append_only"),
)


class NotConnected(Exception):
    """The store has to be connected first."""


class RunGoesOn(Exception):
    """Another run over this store is not done yet."""


@transaction.atomic
def change_settings(
    *, tenant: Tenant, by: Membership | None, store_id: UUID, values: Mapping[str, object]
) -> Store:
    """Raises Store.DoesNotExist and NotAllowed, as everything here does."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    for name in SETTINGS:
        if name in values:
            setattr(store, name, values[name])
    store.save(update_fields=list(SETTINGS))
    return store


@transaction.atomic
def change_words(
    *, tenant: Tenant, by: Membership | None, store_id: UUID, words: Mapping[str, str | None]
) -> None:
    """The shop's own words; None goes back to Kalas's word, an empty one leaves the label out."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    for label, word in words.items():
        if word is None:
            store.words.filter(label=label).delete()
        else:
            StoreWord.objects.update_or_create(
                store=store, label=label, defaults={"word": word, "tenant_id": tenant.id}
            )


@transaction.atomic
def pause(*, tenant: Tenant, by: Membership | None, store_id: UUID) -> Store:
    """Nothing is read or written; what the store tells is kept for later."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    if store.is_active:
        store.state = Store.State.PAUSED
        store.save(update_fields=["state"])
    return store


@transaction.atomic
def resume(*, tenant: Tenant, by: Membership | None, store_id: UUID, now: datetime) -> Store:
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    if store.state == Store.State.PAUSED:
        store.state, store.failures, store.quiet_until = Store.State.ACTIVE, 0, None
        store.save(update_fields=["state", "failures", "quiet_until"])
        _wake(store, now=now)
        jobs.wake_poller(store.id, at=now)
    return store


@transaction.atomic
def poll_now(*, tenant: Tenant, by: Membership | None, store_id: UUID, now: datetime) -> Store:
    """Raises NotConnected."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    if not store.is_active:
        raise NotConnected
    store.quiet_until = None
    store.save(update_fields=["quiet_until"])
    jobs.wake_poller(store.id, at=now)
    return store


@transaction.atomic
def disconnect(*, tenant: Tenant, by: Membership | None, store_id: UUID, now: datetime) -> Store:
    """Have a job take the webhooks out of the store, and then forget its keys; products and photos
    stay in the catalogue. Asked once more the store itself is not asked any longer.

    What never was connected is deleted.
    """
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id, leaving=True)
    if store.connected_at is None and not store.webhooks:
        store.delete()
    elif store.is_leaving or store.credentials is None or not store.webhooks:
        disconnecting.forget_keys(store, now=now)
    else:
        store.state, store.problem, store.problem_about = Store.State.LEAVING, "", ""
        store.failures, store.quiet_until = 0, None
        store.save(update_fields=["state", "problem", "problem_about", "failures", "quiet_until"])
        jobs.wake_poller(store.id, at=now)
    return store


@transaction.atomic
def start_run(
    *, tenant: Tenant, by: Membership | None, store_id: UUID, preview: bool, now: datetime
) -> StoreRun:
    """Raises NotConnected and RunGoesOn."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    if not store.is_active or store.is_custom:
        raise NotConnected
    open_states = [StoreRun.State.RUNNING, StoreRun.State.PAUSED]
    if store.runs.filter(state__in=open_states).exists():
        raise RunGoesOn
    run = StoreRun.objects.create(
        tenant=tenant,
        store=store,
        preview=preview,
        started_by=by.user if by else None,
        created_at=now,
    )
    jobs.wake_run(store.id, at=now)
    return run


@transaction.atomic
def set_run_state(
    *, tenant: Tenant, by: Membership | None, store_id: UUID, state: StoreRun.State, now: datetime
) -> StoreRun:
    """Pause, go on with or stop the open run. Raises StoreRun.DoesNotExist."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    run = store.runs.get(state__in=[StoreRun.State.RUNNING, StoreRun.State.PAUSED])
    run.state = state
    if state == StoreRun.State.CANCELLED:
        run.finished_at = now
        # What only the run asked for is left; what was annotated already stays.
        run.products.filter(read_due_at__isnull=False, hinted_at=None).update(read_due_at=None)
    run.save(update_fields=["state", "finished_at"])
    if state == StoreRun.State.RUNNING:
        _wake(store, now=now)
    return run


@transaction.atomic
def write_suggestions(
    *,
    tenant: Tenant,
    by: Membership | None,
    store_id: UUID,
    now: datetime,
    ids: Sequence[UUID] | None = None,
) -> int:
    """Write what is suggested, all of it or these; return how many there are."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    waiting = [WriteBack.State.SUGGESTED, WriteBack.State.REVIEW]
    rows = store.write_backs.filter(state__in=[WriteBack.State.SUGGESTED])
    if ids is not None:
        rows = store.write_backs.filter(id__in=ids, state__in=waiting)
    return _set_due(store, rows, WriteBack.State.DUE, by=by, now=now)


@transaction.atomic
def dismiss(*, tenant: Tenant, by: Membership | None, store_id: UUID, ids: Sequence[UUID]) -> int:
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    waiting = [WriteBack.State.SUGGESTED, WriteBack.State.REVIEW]
    rows = store.write_backs.filter(id__in=ids, state__in=waiting)
    held = list(rows.values_list("store_product_id", flat=True))
    StoreProduct.objects.filter(id__in=held).update(
        is_held=True, state=StoreProduct.State.UNCHANGED
    )
    return rows.update(state=WriteBack.State.DISMISSED, by=by.user if by else None)


@transaction.atomic
def undo(
    *,
    tenant: Tenant,
    by: Membership | None,
    store_id: UUID,
    now: datetime,
    ids: Sequence[UUID] | None = None,
    run_id: UUID | None = None,
) -> int:
    """Take back these changes, those of a run, or all in the store; return how many there are."""
    check_may_manage(by)
    store = lock_store(tenant=tenant, store_id=store_id)
    rows = store.write_backs.filter(state=WriteBack.State.APPLIED)
    if ids is not None:
        rows = rows.filter(id__in=ids)
    if run_id is not None:
        rows = rows.filter(run=run_id)
    return _set_due(store, rows, WriteBack.State.REVERTING, by=by, now=now)


@transaction.atomic
def read_again(
    *, tenant: Tenant, by: Membership | None, row_id: int, now: datetime
) -> StoreProduct:
    """Read a product anew and write what is to be written, whatever was undone before.

    Raises StoreProduct.DoesNotExist.
    """
    check_may_manage(by)
    rows = StoreProduct.objects.for_tenant(tenant)
    rows = rows.exclude(store__state__in=[Store.State.LEAVING, Store.State.DISCONNECTED])
    row = rows.select_related("store").get(id=row_id)
    StoreProduct.objects.filter(id=row.id).update(
        is_held=False, state=StoreProduct.State.WAITING, read_due_at=now, tries=0, run=None
    )
    jobs.wake_reader(row.store_id, row.lane, at=now)
    return row


def _set_due(
    store: Store,
    rows: QuerySet[WriteBack],
    state: WriteBack.State,
    *,
    by: Membership | None,
    now: datetime,
) -> int:
    products = list(rows.values_list("store_product_id", flat=True))
    changed = rows.update(state=state, by=by.user if by else None)
    wanted = StoreProduct.objects.filter(id__in=products)
    if state == WriteBack.State.DUE:
        wanted.update(write_due_at=now, tries=0, is_held=False)
    else:
        wanted.update(write_due_at=now, tries=0)
    if changed:
        jobs.wake_writer(store.id, at=now)
    return changed


def _wake(store: Store, *, now: datetime) -> None:
    jobs.wake_readers(store.id, at=now)
    jobs.wake_run(store.id, at=now)
    jobs.wake_writer(store.id, at=now)
