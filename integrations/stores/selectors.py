"""Composed reads for the pages; each says how many queries it makes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.models import Tenant
from integrations.stores import addresses, jobs, running, terms, words
from integrations.stores.contract import Change, RemoteProduct
from integrations.stores.models import Store, StoreDelivery, StoreProduct, StoreRun, WriteBack
from retrieval import catalogue
from retrieval.models import ProductImage

RECENT = 8
# So long a store may take to call back while a webhook is made.
PING_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a diff: what it is about, what was there, and what comes or came instead."""

    kind: str
    name: str
    before: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownChange:
    write_back: WriteBack
    title: str
    cover_id: UUID | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class LabelWord:
    label: str
    title: str
    word: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class LabelGroup:
    key: str
    title: str
    words: tuple[LabelWord, ...]


def list_stores(*, tenant: Tenant) -> list[Store]:
    return list(Store.objects.for_tenant(tenant).listed().order_by("created_at", "id"))


def get_store(*, tenant: Tenant, store_id: UUID) -> Store:
    """Raises Store.DoesNotExist, also for another shop's."""
    return Store.objects.for_tenant(tenant).listed().get(id=store_id)


def was_disconnected(*, tenant: Tenant, store_id: UUID) -> bool:
    rows = Store.objects.for_tenant(tenant).filter(state=Store.State.DISCONNECTED)
    return rows.filter(id=store_id).exists()


def count_states(*, store: Store) -> dict[str, int]:
    """How many products are in each state; one query."""
    rows = store.products.order_by().values_list("state").annotate(number=Count("id"))
    found = dict(rows)
    return {state: found.get(state, 0) for state in StoreProduct.State}


def find_run(*, store: Store) -> tuple[StoreRun | None, running.Progress | None]:
    """The last run and how far it is; three queries."""
    run = store.runs.order_by("-created_at").first()
    return run, running.measure(run) if run else None


def list_changes(
    *, store: Store, state: str = "", run_id: UUID | None = None
) -> QuerySet[WriteBack]:
    """Newest first."""
    rows = store.write_backs.select_related("store_product__product", "by")
    rows = rows.filter(state=state) if state else rows.exclude(state=WriteBack.State.DISMISSED)
    if run_id is not None:
        rows = rows.filter(run=run_id)
    return rows.order_by("-created_at", "-id")


def get_change(*, tenant: Tenant, write_back_id: UUID) -> WriteBack:
    """Raises WriteBack.DoesNotExist."""
    rows = WriteBack.objects.for_tenant(tenant).exclude(store__state=Store.State.DISCONNECTED)
    return rows.select_related("store", "store_product__product", "by", "run").get(id=write_back_id)


def list_problems(*, store: Store) -> QuerySet[StoreProduct]:
    """Products that failed, the newest first."""
    rows = store.products.filter(state=StoreProduct.State.FAILED)
    return rows.select_related("product").order_by("-read_at", "-id")


def list_deliveries(*, store: Store, state: str = "") -> QuerySet[StoreDelivery]:
    """Newest first."""
    rows = store.deliveries.all()
    return (rows.filter(state=state) if state else rows).order_by("-received_at", "-id")


def get_delivery(*, tenant: Tenant, delivery_id: UUID) -> StoreDelivery:
    """Raises StoreDelivery.DoesNotExist."""
    rows = StoreDelivery.objects.for_tenant(tenant)
    rows = rows.exclude(store__state=Store.State.DISCONNECTED)
    return rows.select_related("store").get(id=delivery_id)


def show_changes(write_backs: list[WriteBack]) -> list[ShownChange]:
    """With a photo of each product; one query more."""
    product_ids = [each.store_product.product_id for each in write_backs]
    covers = catalogue.find_covers([each for each in product_ids if each])
    return [
        ShownChange(
            write_back=each,
            title=each.store_product.title,
            cover_id=covers.get(each.store_product.product_id)
            if each.store_product.product_id
            else None,
            lines=build_diff(each),
        )
        for each in write_backs
    ]


def build_diff(write_back: WriteBack) -> tuple[Line, ...]:
    """What changes, line by line, before the background of what is there."""
    change = Change.from_json(write_back.change)
    shown: dict[str, Any] = write_back.before or write_back.store_product.remote or {}
    before = RemoteProduct.from_json(shown) if shown else RemoteProduct("")
    options = {each.name.casefold(): each.options for each in before.attributes}
    alts = {image.id: image.alt for image in before.images}
    lines = []
    if change.add_tags or change.remove_tags:
        lines.append(Line("tags", "", before.tags, change.add_tags, change.remove_tags))
    if change.add_categories or change.remove_categories:
        lines.append(
            Line(
                "category",
                "",
                before.categories,
                change.add_categories,
                change.remove_categories,
            )
        )
    for each in change.attributes:
        there = options.get(each.name.casefold(), ())
        gone = tuple(option for option in there if option not in each.options)
        new = tuple(option for option in each.options if option not in there)
        lines.append(Line("attribute", each.name, there, new, gone))
    texts = {text: alts.get(key, "") for key, text in change.alts.items()}
    for text, old in texts.items():
        lines.append(Line("alt", "", (old,) if old else (), (text,), (old,) if old else ()))
    return tuple(lines)


def list_words(*, store: Store, language: str) -> list[LabelGroup]:
    """All labels with the words that are written for them; one query."""
    own = dict(store.words.values_list("label", "word"))
    theirs = words.Dictionary(language=store.language, own=own)
    titles = words.Dictionary(language=language, own={})
    groups = []
    for key, labels in words.list_labels().items():
        title_of = f"attribute:{key}"
        groups.append(
            LabelGroup(
                key=key,
                title="" if key == "category" else titles.suggest(title_of),
                words=tuple(
                    LabelWord(label, titles.suggest(label), theirs.word(label), label in own)
                    for label in labels
                ),
            )
        )
    return groups


def is_ping_missing(store: Store, *, now: datetime) -> bool:
    """Whether webhooks were made and the store never reached this address."""
    if not store.webhooks or store.pinged_at or store.delivered_at or store.webhooks_at is None:
        return False
    return now - (store.connected_at or store.webhooks_at) > PING_WITHIN


def is_testing(store: Store) -> bool:
    """Whether its keys are being tried now; one query. A Shopify store may have an app's secret and
    still wait for its owner's approval."""
    if store.credentials is None or store.problem:
        return False
    return jobs.is_connecting(store.id)


def is_reachable() -> bool:
    return addresses.can_be_reached()


def list_category_names(store: Store) -> list[str]:
    return terms.list_names(store, "categories")


def list_names(tenant: Tenant) -> list[tuple[str, str]]:
    """Ids and names; one query."""
    stores = Store.objects.filter(tenant=tenant).order_by("created_at")
    return [(str(store.id), str(store)) for store in stores]


def of_store(store_id: UUID) -> Q:
    """Of annotations: those of photos of the store's products."""
    photos = ProductImage.objects.filter(product__store_id=store_id, tenant=OuterRef("tenant"))
    return Q(Exists(photos.filter(image=OuterRef("image"))))
