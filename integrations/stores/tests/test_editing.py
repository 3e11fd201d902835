"""What people change in the store of what Kalas wrote is theirs, and a correction."""

import pytest
from django.utils import timezone

from annotations import services as annotations
from annotations.models import Annotation, Review
from annotations.tests.factories import make_photo_bytes
from integrations.models import Store
from integrations.stores import platforms
from integrations.stores.tests.factories import (
    add_product,
    annotate,
    get_row,
    read,
    tell,
    work,
    write,
)

pytestmark = pytest.mark.django_db


def look_again(store, number):
    tell(store, number)
    read(store)
    write(store)


@pytest.fixture
def number(shop, store):
    number = add_product(shop)
    work(store, number)
    return number


def change_option(shop, number, name, options):
    by_name = {row["name"]: key for key, row in shop.terms["attributes"].items()}
    attributes = [
        {**each, "options": [shop._find_or_make("values", o, parent=each["id"]) for o in options]}
        if each["id"] == by_name[name]
        else each
        for each in shop.products[number]["attributes"]
    ]
    shop.edit(number, attributes=[each for each in attributes if each["options"]])


def test_another_value_is_a_correction(shop, store, number):
    change_option(shop, number, "Pattern", ["Checked"])

    look_again(store, number)

    labels = get_row(store, number).product.garment.labels
    assert [(each.key, each.name, each.origin) for each in labels.all()] == [
        ("pattern", "checked", "store")
    ]
    (change,) = Review.objects.get().changes
    assert (change["key"], change["from"], change["to"]) == ("pattern", "striped", "checked")
    assert shop.attributes_of(number)["Pattern"] == ["Checked"]


def test_what_somebody_said_in_kalas_since_is_not_outranked(shop, store, number):
    Annotation.objects.update(reviewed_at=timezone.now())
    change_option(shop, number, "Pattern", ["Checked"])

    look_again(store, number)

    assert not Review.objects.exists()
    assert get_row(store, number).product.garment.labels.get().name == "striped"
    assert shop.attributes_of(number)["Pattern"] == ["Checked"]


def test_a_value_in_the_shops_own_language_is_understood(shop, store, number):
    change_option(shop, number, "Pattern", ["kareli"])

    look_again(store, number)

    assert get_row(store, number).product.garment.labels.get().name == "checked"


def test_a_word_that_nobody_knows_is_left_to_the_person(shop, store, number):
    change_option(shop, number, "Pattern", ["Grandma's curtains"])

    look_again(store, number)
    shop.edit(number, images=[*shop.products[number]["images"], shop.add_image(photo())])
    work(store, number)

    assert not Review.objects.exists()
    assert shop.attributes_of(number)["Pattern"] == ["Grandma's curtains"]
    assert "attribute:pattern" in get_row(store, number).taken_over


def test_an_attribute_that_was_taken_away_stays_away_and_says_nothing_of_the_garment(
    shop, store, number
):
    """Perhaps the shop has no use for it any more."""
    change_option(shop, number, "Pattern", [])

    look_again(store, number)
    work(store, number)

    assert get_row(store, number).product.garment.labels.get().name == "striped"
    assert not Review.objects.exists()
    assert "Pattern" not in shop.attributes_of(number)


@pytest.mark.parametrize("write_attributes", [True, False])
def test_a_term_that_was_deleted_is_no_correction(shop, store, write_attributes):
    """Somebody tidies up: it goes from all products at once."""
    Store.objects.update(write_attributes=write_attributes)
    number = add_product(shop)
    work(store, number)
    striped = next(k for k, row in shop.terms["tags"].items() if row["name"] == "Striped")
    shop.remove_term("tags", striped)

    look_again(store, number)

    assert get_row(store, number).taken_over == ["tag:striped"]
    assert not Review.objects.exists()


def test_another_tag_in_its_place_is_a_correction(shop, store):
    Store.objects.update(write_attributes=False)
    number = add_product(shop)
    work(store, number)
    shop.edit(number, tags=["T-shirt", "Navy blue", "White", "Checked"])

    look_again(store, number)

    assert get_row(store, number).product.garment.labels.get().name == "checked"


def test_another_category_tag_in_its_place_is_none(shop, store):
    """Tags say many things; only attributes' values are compared."""
    number = add_product(shop)
    work(store, number)
    shop.edit(number, tags=["Navy blue", "White", "Striped", "Beach"])

    look_again(store, number)

    assert not Review.objects.exists()


def test_a_tag_that_was_taken_away_stays_away(shop, store, number):
    shop.edit(number, tags=["T-shirt", "Striped"])

    look_again(store, number)
    work(store, number)

    assert shop.names_of(number, "tags") == ["T-shirt", "Striped"]


def test_a_category_that_somebody_chose_instead_is_a_correction(shop, store):
    for name in ("T-shirts", "Dresses"):
        shop._find_or_make("categories", name)
    platforms.open_connection(store).list_categories()
    number = add_product(shop)
    work(store, number)
    assert shop.names_of(number, "categories") == ["T-shirts"]

    shop.edit(number, categories=["Dresses"])
    look_again(store, number)

    garment = get_row(store, number).product.garment
    assert (garment.category, garment.category_origin) == ("dress", "store")
    assert shop.names_of(number, "categories") == ["Dresses"]


def read_colours(store, number):
    garment = get_row(store, number).product.garment
    return [(each.name, each.origin) for each in garment.colours.order_by("position")]


def test_another_colour_is_a_correction(shop, store, number):
    change_option(shop, number, "Colour", ["White", "kırmızı"])

    look_again(store, number)

    assert read_colours(store, number) == [("white", "model"), ("red", "store")]
    assert get_row(store, number).product.colours == ["white", "red"]
    (change,) = Review.objects.get().changes
    assert change["key"] == "colours"
    assert shop.attributes_of(number)["Colour"] == ["White", "kırmızı"]


def test_a_colour_beside_one_that_nobody_knows_is_left_to_the_person(shop, store, number):
    change_option(shop, number, "Colour", ["White", "Sunset over Izmir"])

    look_again(store, number)

    assert not Review.objects.exists()
    assert "attribute:colour" in get_row(store, number).taken_over


def test_another_colour_tag_in_its_place_is_a_correction(shop, store):
    Store.objects.update(write_attributes=False)
    number = add_product(shop)
    work(store, number)
    shop.edit(number, tags=["T-shirt", "White", "Striped", "Red"])

    look_again(store, number)

    assert read_colours(store, number) == [("white", "model"), ("red", "store")]


def test_a_later_answer_of_a_model_does_not_outrank_the_store(shop, store, number, member):
    change_option(shop, number, "Pattern", ["Checked"])
    change_option(shop, number, "Colour", ["Red"])
    look_again(store, number)
    garment = get_row(store, number).product.garment
    annotations.annotate_again(
        tenant=store.tenant,
        annotation_id=garment.annotation_id,
        requested_by=member.user,
        now=timezone.now(),
    )

    annotate(store)

    row = get_row(store, number)
    assert row.product.garment != garment
    assert [(each.name, each.origin) for each in row.product.garment.labels.all()] == [
        ("checked", "store")
    ]
    assert read_colours(store, number) == [("red", "store")]


def test_what_nobody_touched_is_no_correction(shop, store, number):
    shop.sell(number)
    shop.edit(number, tags=[*shop.names_of(number, "tags"), "Beach"])

    look_again(store, number)

    assert not Review.objects.exists()
    assert get_row(store, number).taken_over == []


def test_another_alt_text_is_kept(shop, store, number):
    shop.products[number]["images"][0]["alt"] = "Anna in the park"

    look_again(store, number)

    assert shop.alts_of(number) == ["Anna in the park"]
    assert any(slot.startswith("alt:") for slot in get_row(store, number).taken_over)


def photo():
    return make_photo_bytes()
