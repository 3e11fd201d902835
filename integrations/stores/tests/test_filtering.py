"""The catalogue's and the search's pages narrowed to one store."""

import pytest
from django.urls import reverse

from integrations.stores.tests.factories import make_store
from retrieval.models import Product
from retrieval.tests.factories import make_product
from retrieval.tests.test_similar import make_item

pytestmark = pytest.mark.django_db


@pytest.fixture
def mine(member):
    return make_store(by=member, name="Corner shop")


@pytest.mark.parametrize("name", ["catalogue", "search"])
def test_products_of_one_store(page, tenant, mine, name):
    make_store(name="Somebody else's")
    product = make_product(tenant=tenant, title="Here shirt")
    Product.objects.filter(id=product.id).update(store_id=mine.id)
    make_product(tenant=tenant, title="By hand shirt")

    html = page.get(reverse(name), {"q": "shirt", "store": str(mine.id)}).content.decode()

    assert "Here shirt" in html
    assert "By hand shirt" not in html
    assert f'<option value="{mine.id}" selected>Corner shop</option>' in html
    assert "Somebody else" not in html


@pytest.mark.parametrize("store", ["x", "00000000-0000-0000-0000-000000000000"])
def test_a_store_that_is_not_the_shops_is_left_out(page, tenant, mine, store):
    make_product(tenant=tenant, title="By hand shirt")

    assert "By hand shirt" in page.get(reverse("catalogue"), {"store": store}).content.decode()


@pytest.mark.parametrize("name", ["catalogue", "search"])
def test_a_shop_without_stores_is_not_asked_for_one(page, tenant, name):
    make_item(tenant, 0)
    make_store()

    assert 'name="store"' not in page.get(reverse(name)).content.decode()
