"""The ids of a store's terms (`contract.Terms`), kept in the database."""

from collections.abc import Iterable

from integrations.stores.changes import fold
from integrations.stores.models import Store, StoreTerm


class StoredTerms:
    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, kind: str, name: str, *, parent: str = "") -> str:
        """Empty where it is not known."""
        rows = StoreTerm.objects.filter(
            store=self._store, kind=kind, parent=parent, name=_key(name)
        )
        return rows.values_list("remote_id", flat=True).first() or ""

    def keep(self, kind: str, name: str, remote_id: str, *, parent: str = "") -> None:
        StoreTerm.objects.update_or_create(
            store=self._store,
            kind=kind,
            parent=parent,
            name=_key(name),
            defaults={
                "remote_id": remote_id,
                "title": name[:300],
                "tenant_id": self._store.tenant_id,
            },
        )

    def forget(self, kind: str, names: Iterable[str], *, parent: str = "") -> None:
        keys = [_key(name) for name in names]
        rows = StoreTerm.objects.filter(store=self._store, kind=kind, parent=parent)
        rows.filter(name__in=keys).delete()


def list_names(store: Store, kind: str) -> list[str]:
    """As the store spells them."""
    rows = StoreTerm.objects.filter(store=store, kind=kind)
    return list(rows.order_by("name").values_list("title", flat=True))


def _key(name: str) -> str:
    return fold(name)[:300]
