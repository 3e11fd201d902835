"""From what waits for review in a store, or in the catalogue, to the review page."""

import json
import re
from html import unescape
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member
from annotations.reviewing import claims, queue
from annotations.reviewing.queue import Wanted
from annotations.tests.factories import make_done_annotation, make_result
from integrations.models import Store
from integrations.stores.tests.factories import add_product, get_row, make_row, make_store, work
from retrieval.models import Product
from retrieval.tests.factories import make_product

pytestmark = pytest.mark.django_db


def make_unsure(tenant, confidence):
    return make_done_annotation(tenant=tenant, result=make_result(confidence=confidence))


def find_links(page, address):
    shown = page.get(address).content.decode()
    return [unescape(each) for each in re.findall(r'href="(/review/\?[^"]+)"', shown)]


def claim(page, address):
    query = address.partition("?")[2]
    answer = page.post(
        f"{reverse('review_claim')}?{query}",
        json.dumps({"without": [], "number": 5}),
        content_type="application/json",
    )
    return [each["id"] for each in answer.json()["items"]]


def test_one_store_may_be_asked_for_and_one_product_comes_first(tenant, member):
    store, products, ids = uuid4(), [], []
    for number, store_id in enumerate((store, store, uuid4(), None)):
        annotation = make_unsure(tenant, 0.2 + number / 10)
        product = make_product(tenant=tenant)
        Product.objects.filter(id=product.id).update(store_id=store_id)
        product.photos.create(tenant=tenant, image=annotation.image, state="stored")
        products.append(product.id)
        ids.append(annotation.id)
    now = timezone.now()

    wanted = Wanted(store=store, of=products[1])
    found = queue.filter_queue(tenant=tenant, wanted=wanted, now=now)

    assert list(found.values_list("id", flat=True)) == [ids[1], ids[0]]
    assert claims.claim_next(
        tenant=tenant, reviewer=member.user, number=2, now=now, wanted=Wanted(of=products[3])
    ) == [ids[3], ids[0]]


def test_the_page_of_a_store_leads_to_what_waits_of_it(page, shop, store, member):
    Store.objects.update(mode="review")
    number = add_product(shop)
    work(store, number)
    other = make_unsure(member.tenant, 0.1)
    mine = get_row(store, number).product.garment.annotation

    links = find_links(page, reverse("store", args=[store.id]))

    product = get_row(store, number).product
    whole, first = f"/review/?store={store.id}", f"/review/?store={store.id}&of={product.id}"
    assert set(links) == {whole, first}
    assert "Products of one store" in page.get(whole).content.decode()
    assert claim(page, whole) == [str(mine.id)]
    assert claim(page, "/review/") == [str(mine.id), str(other.id)]


@pytest.mark.parametrize("view", ["", "?view=list", "product"])
def test_a_row_of_the_catalogue_leads_to_its_photo(page, shop, store, view):
    Store.objects.update(mode="review")
    first, second = add_product(shop), add_product(shop, "Coat")
    work(store, first, second)
    product = get_row(store, second).product
    address = reverse("catalogue") + view
    if view == "product":
        address = reverse("product", args=[product.id])

    links = find_links(page, address)

    link = f"/review/?store={store.id}&of={product.id}"
    assert link in links
    assert claim(page, link)[0] == str(product.garment.annotation_id)


def test_who_does_not_review_sees_no_link(client, member):
    store = make_store(by=member)
    make_row(store, state="review")
    make_product(tenant=member.tenant, state=Product.State.IN_REVIEW)
    client.force_login(make_member(tenant=member.tenant, role=Role.DEVELOPER).user)

    assert find_links(client, reverse("store", args=[store.id])) == []
    assert find_links(client, reverse("catalogue")) == []
