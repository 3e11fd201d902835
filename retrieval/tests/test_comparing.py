import pytest
from django.utils import timezone

from accounts.tests.factories import make_tenant
from retrieval.comparing import compare_indexes
from retrieval.models import Embedding, IndexVersion
from retrieval.services.indexes import Model, to_unit
from retrieval.tests.test_similar import at, make_item

pytestmark = pytest.mark.django_db


def copy_index(index: IndexVersion, turn=lambda degrees: degrees) -> IndexVersion:
    """An index of a newer model that sees each photo somewhere else."""
    newer = IndexVersion.objects.create(
        tenant=index.tenant, model_name=index.model_name, model_version="2", state="ready"
    )
    for row in index.embeddings.select_related("photo__product"):
        degrees = float(row.photo.product.title.split()[0])
        Embedding.objects.create(
            tenant=index.tenant,
            index=newer,
            photo=row.photo,
            garment=row.garment,
            vector=to_unit(at(turn(degrees))),
        )
    return newer


def compare(tenant, turn=lambda degrees: degrees):
    before = IndexVersion.objects.get(tenant=tenant)
    return compare_indexes(tenant=tenant, before=before, after=copy_index(before, turn))


def test_nothing_changes(tenant):
    for degrees in (0, 20, 170):
        make_item(tenant, degrees)
    make_item(make_tenant(), 0)

    found = compare(tenant)

    assert (found.asked, found.kept) == (3, 1.0)
    assert (found.before.complete, found.after.complete) == (1.0, 1.0)
    assert (found.before.same_category, found.after.empty) == (1.0, 1)


def test_shows_what_changes_most(tenant):
    first, second, third = (make_item(tenant, degrees) for degrees in (0, 20, 170))
    rows = list(Embedding.objects.values())

    found = compare(tenant, lambda degrees: 160 if degrees == 20 else degrees)

    assert found.kept == pytest.approx(0.0)
    changed = {each.product: (each.before, each.after) for each in found.changes}
    assert changed[second] == ((first,), (third,))
    assert changed[first] == ((second,), ())
    assert list(Embedding.objects.filter(index__model_version="1").values()) == rows


def test_an_index_without_a_photo(tenant):
    make_item(tenant, 0)
    before = IndexVersion.objects.get()
    after = IndexVersion.objects.create(
        tenant=tenant, model_name="kalas-mini", model_version="2", created_at=timezone.now()
    )

    found = compare_indexes(tenant=tenant, before=before, after=after)

    assert (found.asked, found.after.complete) == (0, 0.0)
    assert str(Model("kalas-mini", "2")) == str(after)
