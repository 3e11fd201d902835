"""A store says that something happened to a product: it is read again, once however often."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce, Least

from integrations.stores import jobs
from integrations.stores.contract import RemoteProduct
from integrations.stores.models import Store, StoreProduct, StoreRun


def hint(
    *,
    store: Store,
    external_ids: Iterable[str],
    now: datetime,
    run: StoreRun | None = None,
    product: RemoteProduct | None = None,
) -> None:
    """Have these products read, in the running transaction.

    What a run asks for waits behind what the store just told, and never takes its place: it would
    be left with the run.
    """
    ids = sorted(set(external_ids))
    if not ids:
        return
    StoreProduct.objects.bulk_create(
        (
            StoreProduct(
                tenant_id=store.tenant_id,
                store=store,
                external_id=each,
                lane=jobs.pick_lane(each),
            )
            for each in ids
        ),
        ignore_conflicts=True,
    )
    rows = StoreProduct.objects.filter(store=store, external_id__in=ids)
    # In one order, as two deliveries may be about the same ones.
    locked = list(rows.order_by("id").select_for_update(no_key=True).values_list("id", flat=True))
    changes: dict[str, object] = {
        "hints": F("hints") + 1,
        "tries": 0,
        "read_due_at": Least(Coalesce("read_due_at", now), now),
        "run": _choose_run(run),
    }
    if run is None:
        changes["hinted_at"] = Coalesce("hinted_at", now)
    if product is not None:
        changes["inbox"] = product.to_json()
    StoreProduct.objects.filter(id__in=locked).update(**changes)
    for lane in sorted({jobs.pick_lane(each) for each in ids}):
        jobs.wake_reader(store.id, lane, at=now)


def _choose_run(run: StoreRun | None) -> object:
    if run is None:
        return None
    return Case(When(read_due_at=None, then=Value(run.id)), default=F("run"))
