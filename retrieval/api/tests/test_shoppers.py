"""Who may only search finds what shoppers may see."""

import base64

import pytest
from django.core.cache import caches
from django.test import Client

from accounts.api.authentication import Caller
from accounts.models import Scope
from accounts.tests.factories import make_key, make_tenant
from annotations.models import Annotation
from annotations.tests.conftest import fake_engine  # noqa: F401 - a fixture
from annotations.tests.factories import make_photo_bytes
from retrieval.api.shoppers import narrow
from retrieval.filters import NO_FILTERS
from retrieval.tests.test_similar import make_item

pytestmark = pytest.mark.django_db
SIMILAR = "/api/v1/search/similar"


@pytest.fixture
def tenant(db):
    caches["local"].clear()
    return make_tenant()


def make_client(tenant, *scopes) -> Client:
    token = make_key(tenant=tenant, scopes=[*scopes]).token
    return Client(headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def shopper(tenant):
    return make_client(tenant, Scope.SEARCH)


@pytest.fixture
def staff(tenant):
    return make_client(tenant, Scope.SEARCH, Scope.CATALOGUE)


@pytest.fixture
def items(tenant):
    asked = make_item(tenant, 0, title="Asked shirt", external_id="A")
    shown = make_item(tenant, 10, title="Shown shirt")
    draft = make_item(tenant, 5, title="Draft shirt", external_id="D", listed=False)
    return asked, shown, draft


def ask(client, **question):
    return client.post(SIMILAR, question, content_type="application/json")


def list_titles(response) -> set[str]:
    return {each.get("product", each)["title"] for each in response.json()["results"]}


def test_similar_items_are_what_shoppers_see(shopper, staff, items):
    assert list_titles(ask(shopper, external_id="A")) == {"Shown shirt"}
    assert list_titles(ask(staff, external_id="A")) == {"Shown shirt", "Draft shirt"}


def test_words_suggestions_and_counts_are_of_what_shoppers_see(shopper, staff, items):
    seen, all_ = (client.get("/api/v1/search/text", {"q": "shirt"}) for client in (shopper, staff))
    assert list_titles(seen) == {"Asked shirt", "Shown shirt"}
    assert "Draft shirt" in list_titles(all_)
    assert seen.json()["facets"]["categories"] == [{"name": "t-shirt", "number": 2}]

    query = {"q": "draft"}
    assert shopper.get("/api/v1/search/suggest", query).json()["suggestions"] == []
    assert staff.get("/api/v1/search/suggest", query).json()["suggestions"] != []


def test_what_shoppers_do_not_see_is_as_unknown_as_a_made_up_id(shopper, staff, items):
    draft = items[2]
    image_id = draft.photos.get().image_id
    annotation = Annotation.objects.get(image=image_id)

    for client, status in ((shopper, 404), (staff, 200)):
        answers = [
            ask(client, external_id="D"),
            ask(client, product=str(draft.id)),
            ask(client, annotation=str(annotation.id)),
            client.get(f"/api/v1/products/{draft.id}/"),
            client.get(f"/api/v1/images/{image_id}/"),
        ]
        assert [answer.status_code for answer in answers] == [status] * len(answers)


def test_what_anybody_may_send_is_no_avif(shopper, staff, items, fake_engine):  # noqa: F811
    image = base64.b64encode(make_photo_bytes(format="AVIF")).decode()

    refused, taken = ask(shopper, image=image), ask(staff, image=image)

    assert (refused.status_code, refused.json()["reason"]) == (422, "unsupported-format")
    assert taken.status_code == 200


def test_what_photos_lack_is_the_shops_own_matter(shopper, staff, items):
    address = f"/api/v1/products/{items[0].id}/audit"

    assert (shopper.get(address).status_code, staff.get(address).status_code) == (403, 200)


def test_what_goes_with_a_draft_is_nobodys_to_ask(shopper, items):
    response = shopper.get(f"/api/v1/products/{items[2].id}/goes-with")

    assert response.status_code == 404


def test_a_shop_that_hides_nothing_is_searched_without_a_filter(tenant):
    caller = Caller(tenant, frozenset({Scope.SEARCH}), "key")
    make_item(tenant, 0)
    assert narrow(NO_FILTERS, caller).are_empty
    make_item(tenant, 0, listed=False)
    assert narrow(NO_FILTERS, caller).listed is True


def test_the_catalogues_api_lists_and_unlists(tenant, staff, items):
    url = f"/api/v1/products/{items[1].id}/"

    changed = staff.patch(url, {"listed": False}, content_type="application/json")

    assert changed.json()["listed"] is False
    assert staff.get(url).json()["listed"] is False
