"""Somebody else's object looks like one that does not exist, on every route."""

import uuid

import pytest
from django.urls import URLPattern, reverse
from django.utils import timezone

from accounts.tests.factories import make_tenant
from annotations.models import Annotation, FashionImage, ReviewJob, TrainedHead
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import hide_tokens, make_done_annotation
from annotations.urls import urlpatterns as annotation_routes

BOX = {"left": 5, "top": 6, "right": 40, "bottom": 50}
ROUTES = [
    ("annotation", "annotation", "get"),
    ("annotation_card", "annotation", "get"),
    ("annotate_again", "annotation", "post"),
    ("landmarks", "annotation", "get"),
    ("annotate_crop", "image", "post"),
    ("delete_image", "image", "get"),
    ("delete_image", "image", "post"),
    ("photo", "image", "get"),
    ("thumbnail", "image", "get"),
    ("similar", "annotation", "get"),
    ("suggest_review", "annotation", "get"),
    ("suggest_review", "annotation", "post"),
    ("review_save", "annotation", "post"),
    ("review_skip", "annotation", "post"),
    ("undo_past_review", "review", "post"),
    ("undo_review_job", "job", "post"),
    ("promote_head", "head", "post"),
    ("head_changes", "head", "get"),
]
WITHOUT_OBJECT = [
    ("dashboard", "get"),
    ("dashboard_feed", "get"),
    ("remove_demo", "post"),
    ("annotate", "get"),
    ("upload_photos", "post"),
    ("history", "get"),
    ("review", "get"),
    ("review_words", "get"),
    ("review_counts", "get"),
    ("review_claim", "post"),
    ("review_keep", "post"),
    ("review_return", "post"),
    ("review_undo", "post"),
    ("review_grid", "get"),
    ("review_grid_preview", "post"),
    ("review_grid_apply", "post"),
    ("review_grid_assign", "post"),
    ("review_grid_undo", "post"),
    ("review_job", "get"),
    ("review_quality", "get"),
    ("review_settings", "get"),
    ("review_training", "get"),
    ("review_heads", "get"),
    ("start_training", "post"),
    ("roll_back_head", "post"),
    ("past_reviews", "get"),
    ("export_reviews_csv", "get"),
    ("export_reviews_ndjson", "get"),
    ("shop_models", "get"),
    ("annotate_older", "post"),
]


def make_ids(tenant) -> dict[str, uuid.UUID]:
    """One object of each kind."""
    annotation = make_done_annotation(tenant=tenant)
    review = review_annotation(
        tenant=tenant, annotation_id=annotation.id, by=Reviewer(), now=timezone.now()
    )
    head = TrainedHead.objects.create(
        tenant=tenant, number=1, state="ready", model_name="kalas-mini", model_version="1"
    )
    job = ReviewJob.objects.create(
        tenant=tenant, kind="grid", state="done", total=1, reviews=[review.id]
    )
    return {
        "job": job.id,
        "annotation": annotation.id,
        "image": annotation.image_id,
        "review": review.id,
        "head": head.id,
    }


def test_the_tables_name_every_route():
    routes = {r.name for r in annotation_routes if isinstance(r, URLPattern)}

    assert routes | {"similar"} == {name for name, *_ in [*ROUTES, *WITHOUT_OBJECT]}


@pytest.mark.parametrize("script", [False, True])
@pytest.mark.parametrize(("name", "kind", "method"), ROUTES)
def test_a_foreign_object_looks_like_a_missing_one(page, name, kind, method, script):
    foreign_id = make_ids(make_tenant())[kind]
    headers = {"HX-Request": "true"} if script else {}

    theirs = getattr(page, method)(reverse(name, args=[foreign_id]), BOX, headers=headers)
    missing = getattr(page, method)(reverse(name, args=[uuid.uuid4()]), BOX, headers=headers)

    assert (theirs.status_code, missing.status_code) == (404, 404)
    assert hide_tokens(theirs) == hide_tokens(missing)
    assert (Annotation.objects.count(), FashionImage.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, method) for name, _, method in ROUTES if name not in ("photo", "thumbnail")]
    + WITHOUT_OBJECT,
)
def test_strangers_log_in_first(client, db, name, method):
    takes_id = name in {route for route, *_ in ROUTES}

    response = getattr(client, method)(reverse(name, args=[uuid.uuid4()] if takes_id else []))

    assert response.status_code == 302
    assert response.url.startswith(reverse("account_login"))


@pytest.mark.parametrize(("name", "kind", "method"), ROUTES)
def test_takes_no_other_method(page, tenant, name, kind, method):
    object_id = make_ids(tenant)[kind]

    assert page.put(reverse(name, args=[object_id])).status_code == 405
