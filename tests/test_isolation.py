"""Every address of the house, also the ones that do not exist yet: closed to strangers, and a
foreign object is a missing one."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts import services
from accounts.models import ApiKey, Invitation, Membership, Role
from accounts.tests.factories import make_key, make_member
from annotations.models import Annotation, FashionImage, Review, ReviewJob, ReviewTask, TrainedHead
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import hide_tokens, make_done_annotation
from integrations.models import (
    Store,
    StoreDelivery,
    StoreProduct,
    WebhookDelivery,
    WebhookEndpoint,
    WriteBack,
)
from integrations.stores.tests.factories import (
    make_row,
    make_store,
    make_store_delivery,
    make_write_back,
)
from integrations.tests.factories import make_delivery, make_endpoint
from retrieval.models import CatalogueImport, IndexVersion, NearDuplicate, Product, ProductImage
from retrieval.tests.factories import add_waiting_photo, make_import, make_index, make_pair

pytestmark = pytest.mark.django_db

# What somebody without an account may open; every other address must send them away.
PUBLIC = {"home", "healthz", "readyz", "set_language", "invitation", "decline_invitation"}
PUBLIC |= {"problems", "problem", "widget_docs", "widget_module", "shown_thumbnail"}
# Called by stores, which sign what they send.
PUBLIC |= {"store_hook", "store_keys", "shopify_compliance", "shopify_approved"}
# allauth's pages, the admin's and the API have tests of their own.
NOT_OURS = ("accounts/", "admin/", "api/")


def list_addresses(
    patterns: list[URLPattern | URLResolver], prefix: str = ""
) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Name, address and the arguments that the address takes."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if route.startswith(NOT_OURS):
            continue
        if isinstance(pattern, URLResolver):
            yield from list_addresses(pattern.url_patterns, route)
        else:
            yield str(pattern.name), route, dict(pattern.pattern.converters)


ADDRESSES = list(list_addresses(get_resolver().url_patterns))
WITH_OBJECT = [
    (name, next(iter(takes))) for name, _route, takes in ADDRESSES if takes and name not in PUBLIC
]


def foreign_ids() -> dict[str, object]:
    """One object of each kind, all of another shop."""
    owner = make_member()
    annotation = make_done_annotation(tenant=owner.tenant)
    invitation = services.invite_member(
        tenant=owner.tenant,
        by=owner,
        email="guest@example.com",
        role=Role.REVIEWER,
        build_link=str,
        now=timezone.now(),
    )
    endpoint, _secret = make_endpoint(by=owner)
    pair = make_pair(tenant=owner.tenant)
    store = make_store(by=owner)
    review = review_annotation(
        tenant=owner.tenant,
        annotation_id=annotation.id,
        by=Reviewer(user=owner.user),
        now=timezone.now(),
    )
    return {
        "annotation_id": annotation.id,
        "duplicate_id": pair.id,
        "delivery_id": make_delivery(endpoint).id,
        "endpoint_id": endpoint.id,
        "image_id": annotation.image_id,
        "head_id": TrainedHead.objects.create(
            tenant=owner.tenant, number=1, state="ready", model_name="kalas-mini", model_version="1"
        ).id,
        "job_id": ReviewJob.objects.create(
            tenant=owner.tenant, kind="grid", state="done", total=1, reviews=[review.id]
        ).id,
        "index_id": make_index(tenant=owner.tenant).id,
        "import_id": make_import(tenant=owner.tenant).id,
        "invitation_id": invitation.id,
        "key_id": make_key(member=owner).key.id,
        "membership_id": make_member(tenant=owner.tenant, role=Role.REVIEWER).id,
        "product_id": pair.product_id,
        "review_id": review.id,
        "product_image_id": add_waiting_photo(pair.product).id,
        "row_id": make_row(store, "1").id,
        "store_delivery_id": make_store_delivery(store).id,
        "store_id": store.id,
        "write_back_id": make_write_back(make_row(store, "2")).id,
    }


def snapshot() -> list[list[dict[str, Any]]]:
    models: tuple[Any, ...] = (
        Annotation,
        ApiKey,
        CatalogueImport,
        FashionImage,
        IndexVersion,
        Invitation,
        Membership,
        NearDuplicate,
        Product,
        ProductImage,
        Review,
        ReviewJob,
        ReviewTask,
        TrainedHead,
    )
    models += (WebhookDelivery, WebhookEndpoint, Store, StoreDelivery, StoreProduct, WriteBack)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_there_are_addresses_to_check() -> None:
    assert len(ADDRESSES) > 20
    assert len(WITH_OBJECT) > 8


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", sorted({name for name, _, _ in ADDRESSES} - PUBLIC))
def test_sends_strangers_away(client: Client, name: str, method: str) -> None:
    ids = foreign_ids()
    takes = next(takes for known, _, takes in ADDRESSES if known == name)
    before = snapshot()

    response = getattr(client, method)(reverse(name, kwargs={key: ids[key] for key in takes}))

    assert response.status_code in {302, 404, 405}
    if response.status_code == 302:
        assert response.headers["Location"].startswith(reverse("account_login"))
    assert snapshot() == before


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(("name", "argument"), WITH_OBJECT)
def test_a_foreign_object_is_a_missing_one(
    client: Client, name: str, argument: str, method: str
) -> None:
    foreign = foreign_ids()[argument]
    missing = foreign + 1_000_000 if isinstance(foreign, int) else uuid4()
    client.force_login(make_member().user)
    before = snapshot()
    data = {"role": Role.MANAGER, "overlap": 1, "left": 1, "top": 1, "right": 40, "bottom": 40}

    answers = [
        getattr(client, method)(reverse(name, kwargs={argument: value}), data)
        for value in (foreign, missing)
    ]

    assert {answer.status_code for answer in answers} <= {404, 405}
    assert answers[0].status_code == answers[1].status_code
    assert hide_tokens(answers[0]) == hide_tokens(answers[1])
    assert snapshot() == before
