"""Products that look alike: found by the vectors of their photos, with the reasons beside."""

from dataclasses import replace

from django.utils.translation import gettext as _

from accounts.models import Tenant
from retrieval import details
from retrieval.filters import NO_FILTERS, Filters
from retrieval.matches import Match, read_matches
from retrieval.models import IndexVersion
from retrieval.nearest import find_nearest
from retrieval.services.indexes import Model
from retrieval.wanting import Wanted


class BeingBuilt(Exception):
    """What this can be compared with is not begun yet; the message is for people."""


def find_similar(
    *,
    tenant: Tenant,
    wanted: Wanted,
    filters: Filters = NO_FILTERS,
    limit: int = 20,
    cut_off: float | None = None,
    asked: details.Asked | None = None,
) -> list[Match]:
    """The shop's most similar products, best first; none where nothing is similar enough.

    `cut_off` replaces the index's own least similarity; where details are `asked` for, they order
    the most similar. Raises BeingBuilt.
    """
    index = find_index(tenant=tenant, model=wanted.model)
    if index is None:
        return []
    return find_in(
        index=index, wanted=wanted, filters=filters, limit=limit, cut_off=cut_off, asked=asked
    )


def find_in(
    *,
    index: IndexVersion,
    wanted: Wanted,
    filters: Filters = NO_FILTERS,
    limit: int = 20,
    cut_off: float | None = None,
    asked: details.Asked | None = None,
) -> list[Match]:
    """The same in the index of the wanted model."""
    least = index.cut_off if cut_off is None else cut_off
    pool = max(limit, details.POOL) if asked else limit
    nearest = find_nearest(index=index, wanted=wanted, filters=filters, limit=pool)
    near = {row.photo_id: row.similarity for row in nearest if row.similarity >= least}
    if asked is None:
        return read_matches(index=index, near=near, look=wanted.look)
    shares = details.share(tenant_id=index.tenant_id, asked=asked, photos=list(near))
    near = dict(details.order(near, shares)[:limit])
    matches = read_matches(index=index, near=near, look=wanted.look)
    return [replace(match, details=shares.get(match.photo.id)) for match in matches]


def find_index(*, tenant: Tenant, model: Model) -> IndexVersion | None:
    """That of the model, also while it is being built: then not everything is found yet.

    None where the shop has nothing to be found. Raises BeingBuilt.
    """
    indexes = IndexVersion.objects.for_tenant(tenant)
    index = indexes.filter(model_name=model.name, model_version=model.version).first()
    if index is not None or not indexes.exists():
        return index
    raise BeingBuilt(
        _(
            "The search index for %(model)s is begun within five minutes. Photos can be searched"
            " with from then on; products and words find what they found before."
        )
        % {"model": str(model)}
    )
