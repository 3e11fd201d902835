"""Writing into a store: suggested, written and undone, one product after another in each store."""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from annotations import services as annotations
from annotations.fetching import AWAY
from annotations.models import Annotation
from integrations.stores import changes, jobs, lanes, platforms, progress, terms, troubles, words
from integrations.stores.changes import Wanted, Written
from integrations.stores.contract import Applied, Change, RemoteProduct
from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store, StoreProduct, StoreRun, WriteBack
from retrieval.models import Product
from retrieval.services import judgements, products

logger = logging.getLogger(__name__)

MOST_TRIES = 10
READ_ONLY = ("title", "description", "url", "price", "stock")
OPEN = (WriteBack.State.SUGGESTED, WriteBack.State.REVIEW, WriteBack.State.DUE)


def write_due(*, store_id: UUID, clock: lanes.Clock) -> None:
    lanes.work(
        store_id=store_id,
        clock=clock,
        rows=lanes.list_to_write(store_id),
        column="write_due_at",
        do=write_product,
        wake=lambda at: jobs.wake_writer(store_id, at=at),
    )


def write_product(store: Store, row: StoreProduct, now: datetime) -> None:
    """Whatever happens is noted; raises one of AWAY only."""
    asked_at = row.write_due_at
    try:
        _write(store, row, now=now)
    except AWAY:
        raise
    except StoreFailed as error:
        _note_failure(store, row, error, now=now)
    except Exception:
        logger.exception("The product %s of a store could not be written", row.pk)
        _fail(row, StoreFailed("defect"))
    else:
        # Not where it was asked for again meanwhile.
        rows = StoreProduct.objects.filter(id=row.id)
        rows.filter(write_due_at=asked_at).update(write_due_at=None)
        rows.update(tries=0, problem="", problem_about="")


def build_wanted(store: Store, product: Product, remote: RemoteProduct) -> Wanted:
    return words.build_wanted(
        store=store,
        product=product,
        remote=remote,
        dictionary=words.read_dictionary(store),
        categories=terms.list_names(store, "categories"),
    )


def plan(
    row: StoreProduct, wanted: Wanted, remote: RemoteProduct, edited: Sequence[str] = ()
) -> Change:
    """What to change in the product as it is there now. What a person took away of ours since is
    not written again, though nobody has noted it yet."""
    written = Written.from_json(row.written)
    slots = [edit.slot for edit in changes.find_edits(remote, written)]
    return changes.plan_change(
        remote,
        wanted,
        written=written,
        taken_over=[*row.taken_over, *slots, *edited],
        append_only=row.store.append_only,
    )


def _write(store: Store, row: StoreProduct, *, now: datetime) -> None:
    reverting = row.write_backs.filter(state=WriteBack.State.REVERTING)
    for write_back in reverting.order_by("-applied_at"):
        _undo(store, row, write_back, now=now)
    product = row.product
    if product is None:
        return
    found = row.write_backs.filter(state__in=OPEN).first()
    if found is None or found.state != WriteBack.State.DUE:
        found = _decide(store, row, product, found, now=now)
    if found is not None and found.state == WriteBack.State.DUE:
        _apply(store, row, product, found, now=now)


def _decide(
    store: Store,
    row: StoreProduct,
    product: Product,
    found: WriteBack | None,
    *,
    now: datetime,
) -> WriteBack | None:
    """What becomes of the product: nothing, a suggestion, a wait for review, or a write."""
    remote = RemoteProduct.from_json(row.remote or {})
    change = Change()
    if not row.is_held:
        change = plan(row, build_wanted(store, product, remote), remote)
    if not change:
        if found is not None:
            _set_state(found, WriteBack.State.DISMISSED)
        _set_row_state(row, row.State.WRITTEN if _has_written(row) else row.State.UNCHANGED)
        return None
    state = _choose(store, row, product)
    if found is None:
        found = WriteBack(
            tenant_id=row.tenant_id, store=store, store_product=row, created_at=now, run=row.run
        )
    found.state, found.change, found.run = state, change.to_json(), row.run
    with transaction.atomic():
        found.save()
        if state == WriteBack.State.REVIEW and product.garment is not None:
            _ask_for_review(store, product.garment.annotation, now=now)
    shown = {
        WriteBack.State.SUGGESTED: row.State.SUGGESTED,
        WriteBack.State.REVIEW: row.State.REVIEW,
    }
    _set_row_state(row, shown.get(state, row.state))
    return found


def _ask_for_review(store: Store, annotation: Annotation, *, now: datetime) -> None:
    """Those who review find it in their line, also where the model is sure."""
    if annotations.ask_for_review(tenant=store.tenant, annotation_id=annotation.id):
        judgements.judge_products_with(
            tenant_id=store.tenant_id, image_ids=[annotation.image_id], now=now
        )


def _choose(store: Store, row: StoreProduct, product: Product) -> WriteBack.State:
    if store.mode == Store.Mode.SUGGEST:
        return WriteBack.State.SUGGESTED
    if not progress.is_reviewed(product) and (
        store.mode == Store.Mode.REVIEW or progress.is_unsure(product)
    ):
        return WriteBack.State.REVIEW
    return WriteBack.State.SUGGESTED if _is_previewed(row) else WriteBack.State.DUE


def _is_previewed(row: StoreProduct) -> bool:
    """Asked for by a preview, also by one that was stopped while the photos were annotated; once
    it is over the store's mode holds."""
    run = row.run
    if run is None or not run.preview:
        return False
    return run.is_open or (
        run.state == StoreRun.State.CANCELLED and row.state == StoreProduct.State.ANNOTATING
    )


def _apply(
    store: Store, row: StoreProduct, product: Product, write_back: WriteBack, *, now: datetime
) -> None:
    wanted = build_wanted(store, product, RemoteProduct.from_json(row.remote or {}))
    attempt = _Attempt(row, write_back, wanted)
    connection = platforms.open_connection(store)
    try:
        applied = connection.apply(
            row.external_id,
            attempt.plan,
            marker=attempt.marker,
            create_categories=store.create_categories,
            before_write=attempt.note_before,
        )
    except StoreFailed as error:
        if error.code == "not-kept":
            attempt.note_kept(connection.fetch_product(row.external_id))
        raise
    troubles.note_success(store, now=now)
    was_written = write_back.before is not None and applied.after.marker == attempt.marker
    _note_applied(row, product, write_back, applied, wanted, was_written=was_written, now=now)


class _Attempt:
    """One try to write a change, maybe after others whose answers were lost: the marker in the
    store says whether it has taken one of them. Then that one's snapshot stays, and what is
    missing of it was taken away by a person since."""

    def __init__(self, row: StoreProduct, write_back: WriteBack, wanted: Wanted) -> None:
        self._row, self._write_back, self._wanted = row, write_back, wanted
        self._has_written = False
        self.marker = write_back.id.hex

    def plan(self, remote: RemoteProduct) -> Change:
        change = plan(self._row, self._wanted, remote)
        if self._has_written or not self._was_taken(remote):
            return change
        written = changes.note_written(
            Written(), change=Change.from_json(self._write_back.change), wanted=self._wanted
        )
        edited = [edit.slot for edit in changes.find_edits(remote, written)]
        return plan(self._row, self._wanted, remote, edited)

    def note_before(self, before: RemoteProduct, change: Change) -> None:
        """The snapshot, before anything is changed."""
        self._has_written = True
        if self._was_taken(before) or self._was_begun(before):
            change = changes.unite(Change.from_json(self._write_back.change), change)
        else:
            self._write_back.before = before.to_json()
        self._write_back.change = change.to_json()
        self._write_back.save(update_fields=["before", "change"])

    def note_kept(self, remote: RemoteProduct | None) -> None:
        """The store left something out: that is no person's doing."""
        if remote is not None and self._was_taken(remote):
            change = Change.from_json(self._write_back.change)
            self._write_back.change = changes.keep_what_holds(change, remote).to_json()
            self._write_back.save(update_fields=["change"])

    def _was_taken(self, remote: RemoteProduct) -> bool:
        return self._write_back.before is not None and remote.marker == self.marker

    def _was_begun(self, remote: RemoteProduct) -> bool:
        """Where a write takes several requests, and the last one was not reached."""
        return self._write_back.before is not None and remote.marker.startswith(self.marker)


@transaction.atomic
def _note_applied(
    row: StoreProduct,
    product: Product,
    write_back: WriteBack,
    applied: Applied,
    wanted: Wanted,
    *,
    was_written: bool,
    now: datetime,
) -> None:
    row.remote = _note_remote(row, applied.after)
    if was_written:
        whole = Change.from_json(write_back.change)
        written = changes.note_written(Written.from_json(row.written), change=whole, wanted=wanted)
        edits = changes.find_edits(applied.after, written)
        row.written = changes.give_up(written, edits).to_json()
        row.taken_over = sorted({*row.taken_over, *(edit.slot[:300] for edit in edits)})
        change = changes.keep_what_holds(whole, applied.after)
        write_back.change, write_back.after = change.to_json(), applied.after.to_json()
        write_back.state, write_back.applied_at = WriteBack.State.APPLIED, now
        # Locked as everywhere, after its photos; nobody else writes this product's state now.
        write_back.published = bool(
            products.publish_products(tenant=row.store.tenant, product_ids=[product.id], now=now)
        )
    else:
        write_back.state = WriteBack.State.DISMISSED
    write_back.save(update_fields=["change", "after", "state", "published", "applied_at"])
    row.state = row.State.WRITTEN if _has_written(row) else row.State.UNCHANGED
    row.save(update_fields=["remote", "written", "taken_over", "state"])


def _undo(store: Store, row: StoreProduct, write_back: WriteBack, *, now: datetime) -> None:
    change = Change.from_json(write_back.change)
    before = RemoteProduct.from_json(write_back.before or {})
    applied = platforms.open_connection(store).apply(
        row.external_id,
        lambda remote: changes.plan_undo(remote, change=change, before=before),
        marker=write_back.undo_marker,
        create_categories=False,
        before_write=lambda _before, _change: None,
    )
    troubles.note_success(store, now=now)
    with transaction.atomic():
        written = changes.forget_written(Written.from_json(row.written), change=change)
        row.written, row.is_held = written.to_json(), True
        row.remote = _note_remote(row, applied.after)
        row.state = row.State.WRITTEN if _has_written(row) else row.State.UNCHANGED
        row.save(update_fields=["written", "remote", "is_held", "state"])
        write_back.state, write_back.reverted_at = WriteBack.State.REVERTED, now
        write_back.save(update_fields=["state", "reverted_at"])
        _take_back_state(store, row, now=now)


def _take_back_state(store: Store, row: StoreProduct, *, now: datetime) -> None:
    """Once nothing of ours is left the product is what it was before; what a person has marked as
    published stays so."""
    published = row.write_backs.filter(published=True)
    still = [WriteBack.State.APPLIED, WriteBack.State.REVERTING]
    if row.product_id is None or row.write_backs.filter(state__in=still).exists():
        return
    if published.update(published=False):
        judgements.judge_again(
            tenant=store.tenant, product_id=row.product_id, now=now, unpublish=True
        )


def _note_remote(row: StoreProduct, after: RemoteProduct) -> dict[str, object]:
    """As a write left it; what the catalogue takes over is noted where it is: by the reader."""
    if not row.remote:
        return after.to_json()
    read = {name: row.remote[name] for name in READ_ONLY if name in row.remote}
    return {**after.to_json(), **read}


def _note_failure(store: Store, row: StoreProduct, error: StoreFailed, *, now: datetime) -> None:
    troubles.note_failure(store, error, now=now)
    if error.code == "not-there":
        # Reading it again finds out what became of it.
        StoreProduct.objects.filter(id=row.id).update(write_due_at=None, read_due_at=now)
        row.write_backs.filter(state=WriteBack.State.REVERTING).update(
            state=WriteBack.State.REVERTED, reverted_at=now
        )
        jobs.wake_reader(store.id, row.lane, at=now)
    elif error.is_breaking or (error.is_passing and row.tries + 1 < MOST_TRIES):
        again = now + troubles.wait_after(row.tries + 1, retry_after=error.retry_after)
        StoreProduct.objects.filter(id=row.id).update(
            tries=F("tries") + 1, write_due_at=again, problem=error.code, problem_about=error.about
        )
    else:
        _fail(row, error)


@transaction.atomic
def _fail(row: StoreProduct, error: StoreFailed) -> None:
    """What was to be written can be asked for again; what was to be undone as well."""
    StoreProduct.objects.filter(id=row.id).update(
        tries=0,
        write_due_at=None,
        state=StoreProduct.State.FAILED,
        problem=error.code,
        problem_about=error.about,
    )
    row.write_backs.filter(state=WriteBack.State.DUE).update(state=WriteBack.State.SUGGESTED)
    row.write_backs.filter(state=WriteBack.State.REVERTING).update(state=WriteBack.State.APPLIED)


def _has_written(row: StoreProduct) -> bool:
    written = Written.from_json(row.written)
    return bool(written.tags or written.category or written.attributes or written.alts)


def _set_state(write_back: WriteBack, state: WriteBack.State) -> None:
    write_back.state = state
    write_back.save(update_fields=["state"])


def _set_row_state(row: StoreProduct, state: str) -> None:
    if row.state != state:
        row.state = StoreProduct.State(state)
        row.save(update_fields=["state"])
