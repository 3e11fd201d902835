import gzip
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey
from accounts.tests.factories import make_key, make_member, make_tenant
from annotations.models import DemoShop, FashionImage
from retrieval import demo_widget, thumbnails
from retrieval.api.search import list_hosts
from retrieval.tests.test_similar import make_item
from retrieval.views import widget

pytestmark = pytest.mark.django_db
LARGEST = 15_000
SHOP = "https://shop.example.com"


def get_module(client, name: str, **options):
    return client.get(reverse("widget_module", args=[name]), **options)


def test_the_whole_widget_is_small():
    modules = widget.read_modules().values()

    assert sum(len(module.compressed) for module in modules) < LARGEST
    assert all(body.count(b"\n") <= 200 for body in widget.list_modules().values())


def test_its_entry_is_for_pages_of_any_origin(client):
    response = get_module(client, "find-similar", headers={"Origin": SHOP})

    assert response["Content-Type"].startswith("text/javascript")
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "max-age=3600" in response["Cache-Control"]
    again = get_module(client, "find-similar", headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again["Access-Control-Allow-Origin"]) == (304, "*")


def test_what_it_imports_is_there_for_ever(client):
    entry = get_module(client, "find-similar").content.decode()
    imports = [line.split('"')[1] for line in entry.splitlines() if line.startswith("import ")]
    assert len(imports) == 4

    for address in imports:
        response = client.get(f"/widget/{address.removeprefix('./')}")
        assert response.status_code == 200, address
        assert "immutable" in response["Cache-Control"]


def test_another_versions_import_is_not_kept(client):
    """While a new version is put into place, this process may be asked for the other's."""
    response = get_module(client, "look", query_params={"v": "000000000000"})

    assert (response.status_code, response["Cache-Control"]) == (200, "no-cache")


def test_it_comes_compressed_to_who_takes_that(client):
    whole = get_module(client, "look").content
    response = get_module(client, "look", headers={"Accept-Encoding": "gzip, br"})

    assert response["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.content) == whole
    assert get_module(client, "nothing").status_code == 404


def test_a_thumbnail_is_shown_to_everybody_for_a_day_or_two(client, tenant):
    now = timezone.now()
    make_item(tenant, 0)
    image = FashionImage.objects.get()

    path = thumbnails.build_path(image.id, now=now)

    response = client.get(path)
    assert response["Content-Type"] == "image/jpeg"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.content.startswith(b"\xff\xd8")
    token = path.rsplit("/", 1)[-1]
    assert thumbnails.read_token(token, now=now + timedelta(days=1)) == image.id
    with pytest.raises(thumbnails.Expired):
        thumbnails.read_token(token, now=now + timedelta(days=4))
    image.delete()
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("token", ["x", "a-1~b", f"{'0' * 32}-9999~{'a' * 43}", "~"])
def test_nobody_makes_such_an_address_up(client, token):
    assert client.get(f"/shown/{token}").status_code == 404


def test_a_publishable_key_gets_addresses_that_a_page_can_show(client, tenant):
    make_item(tenant, 0, external_id="SKU-1")
    make_item(tenant, 5)
    member = make_member(tenant=tenant)
    key = make_key(member=member, origins=[SHOP])
    headers = {"Authorization": f"Bearer {key.token}", "Origin": SHOP}

    found = client.post(
        reverse("api_search_similar"),
        {"external_id": "SKU-1"},
        content_type="application/json",
        headers=headers,
    )
    by_words = client.get(reverse("api_search_text"), {"q": "t-shirt"}, headers=headers)

    assert found["Access-Control-Allow-Origin"] == SHOP
    answer = found.json()
    assert answer["complete"] == 1
    for match in [*answer["results"], *by_words.json()["results"]]:
        assert client.get(match["thumbnail"].partition("8000")[2]).status_code == 200


def test_a_publishable_key_fetches_no_photos_of_other_hosts(client, tenant):
    """Else everybody who reads it on a page could let this server ask any address."""
    key = make_key(member=make_member(tenant=tenant), origins=[SHOP])

    answer = ask_for_photo(client, key, "https://elsewhere.example.com/shirt.jpg")

    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["type"].split("/")[-2], problem["reason"]) == (
        "image-url-failed",
        "host-refused",
    )


def ask_for_photo(client, key, url: str):
    return client.post(
        reverse("api_search_similar"),
        {"image_url": url},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key.token}", "Origin": SHOP},
    )


@pytest.mark.parametrize(
    ("origins", "hosts"),
    [
        ([], None),
        (["https://www.shop.example.com"], {"shop.example.com"}),
        (
            ["https://shop.example.com:8443", "https://cdn.example"],
            {"shop.example.com", "cdn.example"},
        ),
    ],
)
def test_the_hosts_of_a_key_are_those_of_its_pages(tenant, origins, hosts):
    key = make_key(member=make_member(tenant=tenant), origins=origins).key

    assert list_hosts(key) == hosts


def test_the_page_about_it_searches_the_demo_shop(client):
    member = make_member(tenant=make_tenant(name="Demo shop"))
    DemoShop.objects.create(tenant=member.tenant)
    make_item(member.tenant, 0, external_id="DEMO-1", title="Demo shirt")
    now = timezone.now()
    for _ in range(2):
        demo_widget.ensure_key(address="http://127.0.0.1:8105", now=now)

    html = client.get(reverse("widget_docs")).content.decode()

    key = ApiKey.objects.get()
    assert key.origins == ["http://127.0.0.1:8105", "http://localhost:8105"]
    assert key.created_by == member.user
    assert "Demo shirt" in html
    assert f'data-key="{demo_widget.find_token(now=now)}"' in html
    assert client.get(reverse("widget_docs"), {"product": "\0"}).status_code == 200

    key.revoked_at = now
    key.save()
    demo_widget.ensure_key(address="http://127.0.0.1:8105", now=now)
    assert demo_widget.find_token(now=now) is None
    assert "Demo shirt" not in client.get(reverse("widget_docs")).content.decode()


def test_the_page_about_it_without_a_demo_shop(client):
    demo_widget.ensure_key(address="https://kalas.example", now=timezone.now())

    response = client.get(reverse("widget_docs"))

    assert response.status_code == 200
    assert "data-product" not in response.content.decode().partition("<table")[0]
    assert not ApiKey.objects.exists()


def test_a_new_publishable_key_comes_with_the_line_for_pages(client, tenant):
    client.force_login(make_member(tenant=tenant).user)

    response = client.post(
        reverse("create_key"),
        {"name": "Shop", "kind": "publishable", "origins": SHOP, "days": 0},
    )

    html = response.content.decode()
    token = response.context["new"].token
    assert f'data-key="{token}"&gt;' in html.replace("&quot;", '"')
