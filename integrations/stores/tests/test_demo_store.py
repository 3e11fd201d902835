"""The simulated store that shows the loop on one machine."""

from io import StringIO

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Role
from accounts.tests.factories import make_member
from annotations.models import DemoShop
from integrations import demo_store
from integrations.models import Store
from tests.running_house import find_free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(db, settings):
    member = make_member(role=Role.OWNER)
    DemoShop.objects.create(tenant=member.tenant)
    return member


def test_opens_a_store_that_is_being_connected(demo):
    with demo_store.run(port=find_free_port(), now=timezone.now()) as shop:
        page = httpx.get(f"{shop.url}/", trust_env=False).text

        assert page.count("<li>") == 4
        store = Store.objects.get()
        assert (store.tenant, store.url) == (demo.tenant, shop.url)


def test_its_page_adds_edits_and_trashes_products(demo):
    with (
        demo_store.run(port=find_free_port(), now=timezone.now()) as shop,
        httpx.Client(base_url=shop.url, trust_env=False, follow_redirects=True) as browser,
    ):
        added = browser.post(
            "/", data={"do": "add", "photo": "clothing-dress-cefb387a", "name": "<b>Garden"}
        )
        assert "&lt;b&gt;Garden" in added.text
        number = max(shop.products)
        edited = browser.post(
            "/", data={"do": "edit", "number": str(number), "tags": "Sale, Beach"}
        )
        assert "Sale, Beach" in edited.text
        gone = browser.post("/", data={"do": "trash", "number": str(number)})
        assert "Garden" not in gone.text
        assert browser.post("/", data={"do": "edit", "number": "x"}).status_code == 200


def test_a_new_run_forgets_the_one_before(demo):
    port = find_free_port()
    for _time in range(2):
        with demo_store.run(port=port, now=timezone.now()):
            pass

    assert Store.objects.count() == 1


def test_says_how_to_open_it(settings):
    settings.DEMO_STORE_PORT = 0

    with pytest.raises(CommandError, match="DEMO_STORE_PORT=8088 make up"):
        call_command("demo_store", stdout=StringIO())


def test_says_when_there_is_no_demo_shop(settings):
    settings.DEMO_STORE_PORT = find_free_port()

    with pytest.raises(CommandError, match="load_demo"):
        call_command("demo_store", stdout=StringIO())
