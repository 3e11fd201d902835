"""Every route of the API × somebody else's object × who asks."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from rest_framework.views import APIView

from accounts import keys
from accounts.api.base import ApiView
from accounts.models import ApiKey, Membership, Scope
from accounts.tests.factories import make_key, make_member
from annotations import batches
from annotations.models import Annotation, Batch, BatchItem, FashionImage, Review, TenantQuerySet
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation
from integrations.models import Store, StoreRun, WebhookDelivery, WebhookEndpoint, WriteBack
from integrations.stores.tests.factories import make_row, make_store, make_write_back
from integrations.tests.factories import make_delivery, make_endpoint
from retrieval.models import CatalogueImport, Product
from retrieval.tests.factories import make_import, make_product

pytestmark = pytest.mark.django_db

PUBLIC = {"api_schema", "api_docs"}
# Each route: the scope that does not open it, None where every key may.
WRONG_SCOPE: dict[str, Scope | None] = {
    "api_usage": Scope.SEARCH,
    "api_annotations": Scope.SEARCH,
    "api_annotation": Scope.SEARCH,
    "api_overlay": Scope.SEARCH,
    "api_landmarks": Scope.SEARCH,
    "api_review": Scope.ANNOTATE,
    "api_reviews": Scope.ANNOTATE,
    "api_model": Scope.SEARCH,
    "api_quality": Scope.ANNOTATE,
    "api_one_review": Scope.ANNOTATE,
    "api_undo_review": Scope.ANNOTATE,
    "api_batches": Scope.SEARCH,
    "api_batch": Scope.SEARCH,
    "api_images": Scope.SEARCH,
    "api_image": Scope.MANAGE,
    "api_image_file": Scope.MANAGE,
    "api_taxonomy": None,
    "api_compat_annotate": Scope.REVIEW,
    "api_compat_retrieve": Scope.REVIEW,
    "api_products": Scope.SEARCH,
    "api_products_bulk": Scope.SEARCH,
    "api_product": Scope.ANNOTATE,
    "api_product_audit": Scope.ANNOTATE,
    "api_goes_with": Scope.CATALOGUE,
    "api_search_similar": Scope.CATALOGUE,
    "api_search_text": Scope.CATALOGUE,
    "api_search_suggest": Scope.CATALOGUE,
    "api_imports": Scope.SEARCH,
    "api_import": Scope.SEARCH,
    "api_import_start": Scope.SEARCH,
    "api_export_csv": Scope.SEARCH,
    "api_export_ndjson": Scope.SEARCH,
    "api_export_coco": Scope.SEARCH,
    "api_webhooks": Scope.ANNOTATE,
    "api_webhook": Scope.ANNOTATE,
    "api_webhook_secret": Scope.ANNOTATE,
    "api_webhook_test": Scope.ANNOTATE,
    "api_deliveries": Scope.ANNOTATE,
    "api_delivery": Scope.ANNOTATE,
    "api_delivery_again": Scope.ANNOTATE,
    "api_stores": Scope.ANNOTATE,
    "api_store": Scope.CATALOGUE,
    "api_store_preview": Scope.CATALOGUE,
    "api_store_backfill": Scope.CATALOGUE,
    "api_store_reconcile": Scope.CATALOGUE,
    "api_store_deliveries": Scope.CATALOGUE,
    "api_store_changes": Scope.CATALOGUE,
    "api_store_undo": Scope.CATALOGUE,
}
METHODS = ("get", "post", "put", "patch", "delete")


def list_routes(
    patterns: list[URLPattern | URLResolver], prefix: str = ""
) -> Iterator[tuple[str, list[str], type[APIView]]]:
    """Name, arguments and view of each address below /api/ that is not for everybody."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from list_routes(pattern.url_patterns, route)
        elif route.startswith("api/") and pattern.name not in PUBLIC:
            view: Any = pattern.callback
            yield str(pattern.name), list(pattern.pattern.converters), view.view_class


ROUTES = {name: (takes, view) for name, takes, view in list_routes(get_resolver().url_patterns)}
OURS = sorted(ROUTES)
WITH_OBJECT = sorted(name for name in OURS if ROUTES[name][0])


def test_every_route_stands_in_the_table() -> None:
    assert set(OURS) == set(WRONG_SCOPE)
    assert len(WITH_OBJECT) >= 6


@pytest.mark.parametrize("name", OURS)
def test_every_post_takes_an_idempotency_key(name: str) -> None:
    _takes, view = ROUTES[name]

    assert issubclass(view, ApiView)
    assert set(view.scopes) <= {"GET", "POST", "PATCH", "DELETE"}
    if hasattr(view, "post"):
        assert getattr(view.post, "is_idempotent", False)


def foreign_ids() -> dict[str, object]:
    """One object of each kind, all of another shop."""
    owner = make_member()
    annotation = make_done_annotation(tenant=owner.tenant)
    batch = batches.order_batch(
        tenant=owner.tenant,
        key=None,
        items=[{"annotation": annotation, "taken_at": timezone.now()}],
        now=timezone.now(),
    )
    review = review_annotation(
        tenant=owner.tenant,
        annotation_id=annotation.id,
        by=Reviewer(user=owner.user),
        now=timezone.now(),
    )
    endpoint, _secret = make_endpoint(by=owner)
    store = make_store(by=owner)
    make_write_back(make_row(store), state="applied", before={"id": "7"}, applied_at=timezone.now())
    return {
        "annotation_id": annotation.id,
        "image_id": annotation.image_id,
        "review_id": review.id,
        "batch_id": batch.id,
        "endpoint_id": endpoint.id,
        "delivery_id": make_delivery(endpoint).id,
        "product_id": make_product(tenant=owner.tenant).id,
        "import_id": make_import(tenant=owner.tenant).id,
        "store_id": store.id,
    }


def call(name: str, method: str, ids: dict[str, object], client: Client, **credentials: str) -> Any:
    path = reverse(name, kwargs={each: ids[each] for each in ROUTES[name][0]})
    return client.generic(
        method.upper(), path, "{}", content_type="application/json", headers=credentials
    )


def snapshot() -> list[list[dict[str, Any]]]:
    models: tuple[Any, ...] = (Annotation, Batch, BatchItem, FashionImage, Membership, Review)
    models += (CatalogueImport, Product, WebhookDelivery, WebhookEndpoint)
    models += (Store, StoreRun, WriteBack)
    return [list(model.objects.order_by("pk").values()) for model in models]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("name", WITH_OBJECT)
@pytest.mark.parametrize("who", ["session", "other key", "key, where the code forgets the shop"])
def test_a_foreign_object_is_a_missing_one(
    name: str, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = foreign_ids()
    if "forgets" in who:  # so that only the database stands between the shops
        monkeypatch.setattr(TenantQuerySet, "for_tenant", lambda rows, tenant: rows.all())
    missing: dict[str, object] = dict.fromkeys(foreign, uuid4())
    member = make_member()
    client = Client()
    credentials = bearer(make_key(member=member).token)
    if who == "session":
        client.force_login(member.user)
        credentials = {}
    before = snapshot()

    for method in METHODS:
        answers = [call(name, method, ids, client, **credentials) for ids in (foreign, missing)]

        assert {answer.status_code for answer in answers} <= {404, 405}, method
        assert answers[0].content == answers[1].content
        assert answers[0].status_code == answers[1].status_code
    assert snapshot() == before


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("who", ["anonymous", "revoked", "expired", "made up"])
def test_strangers_learn_nothing(name: str, who: str) -> None:
    member = make_member()
    new = make_key(member=member)
    if who == "revoked":
        now = timezone.now()
        keys.revoke_key(tenant=member.tenant, by=member, key_id=new.key.id, now=now)
    if who == "expired":
        ApiKey.objects.update(expires_at=timezone.now())
    credentials = {} if who == "anonymous" else bearer(new.token + "x" * (who == "made up"))
    ids = foreign_ids()
    before = snapshot()

    for method in METHODS:
        response = call(name, method, ids, Client(), **credentials)

        assert response.status_code == 401, method
        assert response["WWW-Authenticate"].startswith("Bearer")
        assert response["Content-Type"] == "application/problem+json"
    assert snapshot() == before


@pytest.mark.parametrize("name", [name for name in OURS if WRONG_SCOPE.get(name)])
def test_a_key_of_another_scope_learns_nothing(name: str) -> None:
    _takes, view = ROUTES[name]
    new = make_key(scopes=[WRONG_SCOPE[name]])
    ids = foreign_ids()
    before = snapshot()

    for method in METHODS:
        response = call(name, method, ids, Client(), **bearer(new.token))

        assert response.status_code in {403, 405}, method
        if method in view.http_method_names and hasattr(view, method):
            assert response.status_code == 403
    assert snapshot() == before
