import pytest
from django.urls import reverse

from accounts.models import User
from annotations.models import Annotation, Colour, DemoShop, FashionImage, Garment, Label
from annotations.tests.factories import make_annotation, make_done_annotation

MODELS = [FashionImage, Annotation, Garment, Label, Colour, DemoShop]


@pytest.fixture
def operator(client, db):
    client.force_login(User.objects.create_superuser("operator@example.com", "x"))
    client.get("/shops/profile/")
    return client


def address(model, page: str, *args) -> str:
    return reverse(f"admin:annotations_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", MODELS)
def test_lists_searches_and_shows_every_model(operator, tenant, model):
    make_done_annotation(tenant=tenant)
    DemoShop.objects.create(tenant=tenant)
    row = model.objects.first()

    pages = [
        operator.get(address(model, "changelist")),
        operator.get(address(model, "changelist"), {"q": "shirt"} if model != DemoShop else {}),
        operator.get(address(model, "change", row.pk)),
    ]

    assert [page.status_code for page in pages] == [200, 200, 200]


@pytest.mark.parametrize("model", [FashionImage, Annotation, Garment])
def test_lists_with_the_same_queries_for_one_and_for_many(
    operator, tenant, model, django_assert_max_num_queries
):
    for _ in range(6):
        make_done_annotation(tenant=tenant)

    with django_assert_max_num_queries(16):
        operator.get(address(model, "changelist"))


def test_shows_photo_and_boxes(operator, tenant):
    annotation = make_done_annotation(tenant=tenant)

    html = operator.get(address(Annotation, "change", annotation.id)).content.decode()

    assert f'<image href="/media/{annotation.image_id}/photo"' in html
    assert '<rect x="10" y="10" width="40" height="60"' in html


def test_annotates_again(operator, tenant):
    done = make_done_annotation(tenant=tenant)
    waiting = make_annotation(tenant=tenant)

    operator.post(
        address(Annotation, "changelist"),
        {"action": "annotate_again", "_selected_action": [done.id, waiting.id]},
    )

    new = Annotation.objects.exclude(id__in=[done.id, waiting.id]).get()
    assert (new.image_id, new.priority) == (done.image_id, Annotation.Priority.BULK)


@pytest.mark.parametrize("several", [False, True])
def test_deletes_photos_with_their_files(
    operator, tenant, stored_files, django_capture_on_commit_callbacks, several
):
    image = make_annotation(tenant=tenant).image

    with django_capture_on_commit_callbacks(execute=True):
        if several:
            data = {"action": "delete_selected", "_selected_action": [image.id], "post": "yes"}
            operator.post(address(FashionImage, "changelist"), data)
        else:
            operator.post(address(FashionImage, "delete", image.id), {"post": "yes"})

    assert not FashionImage.objects.exists()
    assert stored_files() == []


def test_is_closed_to_members(page):
    assert page.get(address(Annotation, "changelist")).status_code == 302


def test_another_threshold_of_a_shop_moves_its_queue(operator, tenant):
    annotation = make_done_annotation(tenant=tenant)
    rows = [f"memberships-{name}_FORMS" for name in ("TOTAL", "INITIAL")]
    data = {"name": tenant.name, "review_threshold": 0.99, **dict.fromkeys(rows, 0)}

    operator.post(reverse("admin:accounts_tenant_change", args=[tenant.id]), data)

    annotation.refresh_from_db()
    assert annotation.needs_review
