from dataclasses import replace

import pytest
from django.urls import reverse

from annotations import recording, services
from annotations.models import Annotation, FashionImage
from annotations.tests.factories import (
    make_annotation,
    make_done_annotation,
    make_garment,
    make_result,
)
from inference.contract import Alternative, Box

BOX = {"left": 5, "top": 6, "right": 40, "bottom": 50}
HTMX = {"HX-Request": "true"}


def get_html(page, annotation) -> str:
    html: str = page.get(reverse("annotation", args=[annotation.id])).content.decode()
    return html


def test_shows_boxes_category_alternatives_and_colours(page, tenant):
    annotation = make_done_annotation(tenant=tenant)

    html = get_html(page, annotation)

    garment = annotation.garments.get()
    assert f'<g class="box object-upper-body" data-garment="{garment.id}"' in html
    assert '<rect x="10" y="10" width="40" height="60" rx="4"/>' in html
    assert "93 %" in html
    assert 'fill="#1b2a49"' in html
    assert "62 %" in html
    assert "kalas-mini 1" in html
    assert annotation.image.sha256 in html
    assert "style=" not in html


def test_writes_numbers_for_machines_in_every_language(page, member, tenant):
    member.user.language = "tr"
    member.user.save(update_fields=["language"])

    html = get_html(page, make_done_annotation(tenant=tenant))

    assert 'value="0.930"' in html
    assert 'width="62.00"' in html


@pytest.mark.parametrize(
    ("language", "key", "value"), [("en", "Pattern", "Striped"), ("tr", "Desen", "Çizgili")]
)
def test_names_attributes_with_their_confidence(page, member, tenant, language, key, value):
    member.user.language = language
    member.user.save(update_fields=["language"])

    html = get_html(page, make_done_annotation(tenant=tenant))

    assert f"<dt>{key}</dt><dd>{value} <span" in html
    assert "88" in html


def test_shows_an_outfits_garments_the_main_one_first(page, tenant):
    jeans = replace(make_garment(category="jeans", object_type="lower-body"), primary=False)
    annotation = make_done_annotation(tenant=tenant, result=make_result(jeans, make_garment()))

    html = get_html(page, annotation)

    assert html.count('<g class="box ') == 2
    assert html.index(">T-shirt</h2>") < html.index(">Jeans</h2>")
    assert html.count("Main garment") == 1


def test_marks_what_needs_review(page, tenant):
    annotation = make_done_annotation(tenant=tenant, result=make_result(confidence=0.4))

    assert "Needs review" in get_html(page, annotation)


def test_says_why_there_is_no_answer(page, tenant):
    annotation = make_done_annotation(tenant=tenant, result=make_result(abstained="no-garment"))

    assert "No garment was found" in get_html(page, annotation)


def test_shows_what_it_may_be_where_there_is_no_answer(page, tenant):
    alternatives = (Alternative("scarf", 0.3), Alternative("belt", 0.004))
    result = make_result(abstained="no-garment", alternatives=alternatives)

    html = get_html(page, make_done_annotation(tenant=tenant, result=result))

    assert html.index("Or perhaps") < html.index(">Scarf or stole</span>")
    assert ">Belt</span>" not in html


def test_shows_why_it_failed_and_lets_people_try_again(page, tenant):
    annotation = make_annotation(tenant=tenant)
    recording.record_failure(
        annotation=annotation, reason="The file is damaged.", now=annotation.created_at
    )

    html = get_html(page, annotation)

    assert "The file is damaged." in html
    assert reverse("annotate_again", args=[annotation.id]) in html


def test_shows_place_and_the_engines_state_while_waiting(page, tenant):
    make_annotation(tenant=tenant)
    second = make_annotation(tenant=tenant)

    html = page.get(reverse("annotation_card", args=[second.id])).content.decode()

    assert "Place 2 in line" in html
    assert "waiting for 0 s" in html or "waiting for 1 s" in html
    assert "No jobs process is running" in html


def test_the_card_is_no_longer_pending_once_answered(page, tenant):
    annotation = make_done_annotation(tenant=tenant)

    html = page.get(reverse("annotation_card", args=[annotation.id])).content.decode()

    assert "data-pending" not in html


def test_shows_all_annotations_of_the_photo(page, tenant, member):
    annotation = make_done_annotation(tenant=tenant)
    crop = services.annotate_crop(
        tenant=tenant,
        image_id=annotation.image_id,
        box=Box(5, 6, 40, 50),
        requested_by=member.user,
        now=annotation.created_at,
    )

    html = get_html(page, annotation)

    assert f'data-live="{crop.id}"' in html
    assert '<rect class="crop" x="5" y="6" width="35" height="44"' in html


def test_annotates_a_crop_from_the_script(page, tenant):
    image = make_done_annotation(tenant=tenant).image

    response = page.post(reverse("annotate_crop", args=[image.id]), BOX, headers=HTMX)

    crop = Annotation.objects.get(crop__isnull=False)
    assert response.status_code == 201
    assert crop.crop_box == Box(5, 6, 40, 50)
    assert f'data-live="{crop.id}"' in response.content.decode()


def test_annotates_a_crop_from_the_plain_form(page, tenant):
    image = make_done_annotation(tenant=tenant).image

    response = page.post(reverse("annotate_crop", args=[image.id]), BOX)

    crop = Annotation.objects.get(crop__isnull=False)
    assert response.url == reverse("annotation", args=[crop.id])


@pytest.mark.parametrize(
    "box",
    [
        {},
        {**BOX, "left": "x"},
        {**BOX, "left": -1},
        {**BOX, "right": 4},
        {**BOX, "right": 61},
        {**BOX, "right": 8},
        {**BOX, "bottom": 10**30},
    ],
)
def test_a_wrong_box_comes_back_with_what_is_wrong(page, tenant, box):
    annotation = make_done_annotation(tenant=tenant)
    address = reverse("annotate_crop", args=[annotation.image_id]) + f"?card={annotation.id}"

    plain = page.post(address, box)
    script = page.post(address, box, headers=HTMX)

    assert plain.status_code == 422
    assert "errorlist" in plain.content.decode()
    assert script.status_code == 200
    assert script["HX-Retarget"] == f"#crop-{annotation.id}"
    assert "errorlist" in script.content.decode()
    assert not Annotation.objects.filter(crop__isnull=False).exists()


def test_asks_again(page, tenant):
    done = make_done_annotation(tenant=tenant)

    response = page.post(reverse("annotate_again", args=[done.id]))

    new = Annotation.objects.pending().get()
    assert response.url == reverse("annotation", args=[new.id])


def test_does_not_ask_again_for_what_waits(page, tenant):
    waiting = make_annotation(tenant=tenant)

    response = page.post(reverse("annotate_again", args=[waiting.id]))

    assert response.url == reverse("annotation", args=[waiting.id])
    assert Annotation.objects.count() == 1


def test_asks_before_it_deletes(page, tenant):
    image = make_annotation(tenant=tenant).image

    response = page.get(reverse("delete_image", args=[image.id]))

    assert response.status_code == 200
    assert FashionImage.objects.count() == 1


def test_deletes(page, tenant):
    image = make_annotation(tenant=tenant).image

    response = page.post(reverse("delete_image", args=[image.id]))

    assert response.url == reverse("history")
    assert not FashionImage.objects.exists()


def test_deletes_from_the_script(page, tenant):
    image = make_annotation(tenant=tenant).image

    response = page.post(reverse("delete_image", args=[image.id]), headers=HTMX)

    assert (response.status_code, response.content) == (200, b"")


def test_makes_the_same_queries_for_one_and_for_many(
    page, tenant, member, django_assert_max_num_queries
):
    garments = [make_garment() for _ in range(5)]
    annotation = make_done_annotation(tenant=tenant, result=make_result(*garments))
    for left in range(6):
        services.annotate_crop(
            tenant=tenant,
            image_id=annotation.image_id,
            box=Box(left, 0, 50, 60),
            requested_by=member.user,
            now=annotation.created_at,
        )

    with django_assert_max_num_queries(13):
        get_html(page, annotation)
