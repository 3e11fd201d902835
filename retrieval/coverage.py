"""How much of a shop's photos a search can find."""

from dataclasses import dataclass

from django.core.cache import caches

from accounts.models import Tenant
from retrieval.models import ActiveIndex, IndexVersion
from retrieval.services.indexes import Model, list_missing, list_searchable_photos

_REMEMBER_S = 10


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a shop's photos a search could find; `error` says why an index is not completed."""

    share: float
    """0 to 1"""
    state: str
    """An index's, or none without an index."""
    error: str = ""

    @property
    def is_whole(self) -> bool:
        return self.share >= 1


NO_INDEX = Coverage(1.0, "none")


def find_coverage(*, tenant: Tenant, model: Model | None) -> Coverage:
    """How much of the shop's photos the index of this model can find, or the one in use.

    What its model looked at without seeing a garment counts as looked at.
    """
    indexes = IndexVersion.objects.for_tenant(tenant)
    if model is None:
        index = indexes.filter(id__in=ActiveIndex.objects.values("index")).first()
    else:
        index = indexes.filter(model_name=model.name, model_version=model.version).first()
    return measure_coverage(index)


def measure_coverage(index: IndexVersion | None) -> Coverage:
    """At most `_REMEMBER_S` old: counting reads a row of each photo."""
    if index is None:
        return NO_INDEX
    key = f"retrieval.coverage.{index.id}.{index.state}.{bool(index.error)}"
    found: Coverage | None = caches["local"].get(key)
    if found is None:
        whole = list_searchable_photos(index.tenant_id).count()
        missing = list_missing(index).count()
        share = 1 - missing / whole if whole else 1.0
        # What is ready stays searchable where its engine went away; the rest does not follow.
        gave_up = missing and index.error
        found = Coverage(share, IndexVersion.State.FAILED if gave_up else index.state, index.error)
        caches["local"].set(key, found, _REMEMBER_S)
    return found
