"""The review queue of one store's products."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Scope
from accounts.tests.factories import make_key, make_member
from annotations.reviewing import queue
from annotations.reviewing.queue import Wanted
from annotations.tests.factories import make_done_annotation, make_result
from integrations.stores.tests.factories import make_row, make_store
from retrieval.models import Product, ProductImage

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_member()


def sell(store, annotation):
    """The photo is of a product in this store."""
    row = make_row(store, str(annotation.id)[:8])
    product = Product.objects.create(
        tenant=store.tenant, store_id=store.id, external_id=row.external_id
    )
    ProductImage.objects.create(
        tenant=store.tenant, product=product, image=annotation.image, state="stored"
    )
    row.product = product
    row.save(update_fields=["product"])


def test_shows_only_what_it_sells(owner, client):
    store, other = make_store(by=owner), make_store(by=owner, url="https://other.example")
    unsure = make_result(confidence=0.2)
    mine, theirs, _loose = (
        make_done_annotation(tenant=owner.tenant, result=unsure) for _ in range(3)
    )
    sell(store, mine)
    sell(other, theirs)

    found = queue.filter_queue(
        tenant=owner.tenant, wanted=Wanted(store=store.id), now=timezone.now()
    )

    assert [each.id for each in found] == [mine.id]
    client.force_login(owner.user)
    html = client.get(reverse("review"), {"store": str(store.id)}).content.decode()
    assert f'value="{store.id}" selected' in html
    key = make_key(member=owner, scopes=[Scope.REVIEW, Scope.ANNOTATE])
    answer = client.get(
        "/api/v1/annotations/",
        {"needs_review": "true", "store": str(other.id), "unsure_of": "category"},
        headers={"Authorization": f"Bearer {key.token}"},
    ).json()
    assert [each["id"] for each in answer["results"]] == [str(theirs.id)]
