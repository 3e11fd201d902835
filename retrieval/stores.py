"""The stores that products came from, by name: the app above knows them and names them here."""

from collections.abc import Callable, Sequence
from uuid import UUID

from accounts.models import Tenant

Namer = Callable[[Tenant], Sequence[tuple[UUID, str]]]
_namers: list[Namer] = []


def names_stores(namer: Namer) -> Namer:
    """Ask this function too."""
    _namers.append(namer)
    return namer


def list_stores(tenant: Tenant) -> list[tuple[str, str]]:
    """The shop's stores as choices of a form, by name."""
    named = [(str(id_), name) for namer in _namers for id_, name in namer(tenant)]
    return sorted(named, key=lambda each: each[1].casefold())
