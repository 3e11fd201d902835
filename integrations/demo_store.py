"""A simulated store that is connected to the demo shop, to watch the whole loop on one machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from accounts.models import Membership, Role
from annotations import demo
from annotations.models import DemoShop
from integrations.stores import connecting
from integrations.stores.models import Platform, Store
from integrations.woocommerce import simulator
from integrations.woocommerce.simulator import Simulator
from integrations.woocommerce.storefront import Storefront
from retrieval.models import Product

FIRST_PRODUCTS = 4


class NoDemoShop(Exception):
    """The demo shop was never loaded."""


@contextmanager
def run(*, port: int, now: datetime) -> Iterator[Simulator]:
    """The store, open and connected, with a few products. Raises NoDemoShop."""
    owner = _find_owner()
    store = Simulator(currency="EUR")
    photos = {path.stem: path for path in demo.list_photos()}
    front = Storefront(store, photos=photos, kalas_url=settings.PUBLIC_URL)
    with simulator.run(store, port=port, delivers=True, serve_page=front.serve):
        # There before the connection: as in a real store, they are what is asked for first.
        for name, path in _pick(photos):
            store.add_product(name, path.read_bytes())
        connect(store, owner=owner, now=now)
        yield store


@transaction.atomic
def connect(store: Simulator, *, owner: Membership, now: datetime) -> Store:
    """As somebody does who pastes keys. What an earlier run left is forgotten: the simulator keeps
    nothing either."""
    for old in Store.objects.for_tenant(owner.tenant).filter(url=store.url):
        Product.objects.for_tenant(owner.tenant).filter(store_id=old.id).delete()
        old.delete()
    begun = connecting.begin(
        tenant=owner.tenant,
        by=owner,
        platform=Platform.WOOCOMMERCE,
        url=store.url,
        now=now,
    )
    key = store.make_key()
    return connecting.take_keys(
        tenant=owner.tenant,
        by=owner,
        store_id=begun.id,
        values={"key": key.key, "secret": key.secret},
        now=now,
    )


def _find_owner() -> Membership:
    shop = DemoShop.objects.first()
    owners = Membership.objects.filter(role=Role.OWNER).select_related("tenant", "user")
    owner = owners.filter(tenant=shop.tenant_id).first() if shop else None
    if owner is None:
        raise NoDemoShop
    return owner


def _pick(photos: dict[str, Path]) -> list[tuple[str, Path]]:
    """A few of different kinds, named as a shop would."""
    kinds: dict[str, Path] = {}
    for stem, path in photos.items():
        kind = stem.removeprefix("clothing-").rpartition("-")[0]
        kinds.setdefault(kind, path)
    names = list(kinds)[:: max(1, len(kinds) // FIRST_PRODUCTS)][:FIRST_PRODUCTS]
    return [(f"{kind.replace('-', ' ').capitalize()} No. 1", kinds[kind]) for kind in names]
