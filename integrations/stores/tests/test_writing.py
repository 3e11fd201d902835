"""From a product in a store to what is written into it, and back."""

import pytest
from django.utils import timezone

from annotations.models import Annotation
from annotations.reviewing.corrections import Correction, Corrections
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_garment, make_photo_bytes, make_result
from integrations.models import Store, StoreRun, WriteBack
from integrations.stores import platforms, services
from integrations.stores.tasks import tell_problem
from integrations.stores.tests.factories import (
    add_product,
    annotate,
    get_row,
    get_write_back,
    later,
    list_run,
    read,
    tell,
    work,
    write,
)
from retrieval.models import Product

pytestmark = pytest.mark.django_db


def test_a_new_product_gets_tags_attributes_and_descriptions(shop, store):
    number = add_product(shop, "Summer shirt", photos=2)

    work(store, number)

    assert shop.names_of(number, "tags") == ["T-shirt", "Navy blue", "White", "Striped"]
    assert shop.attributes_of(number) == {"Colour": ["Navy blue", "White"], "Pattern": ["Striped"]}
    assert shop.alts_of(number) == ["Summer shirt: navy blue striped t-shirt"] * 2
    assert shop.names_of(number, "categories") == ["Uncategorized"]
    product = Product.objects.get()
    assert (product.title, product.store_id, product.state) == (
        "Summer shirt",
        store.id,
        "published",
    )
    assert get_row(store, number).state == "written"


def test_keeps_everything_that_was_there(shop, store):
    number = add_product(
        shop,
        "Dress & coat",
        attributes=[
            {"id": 0, "name": "Size", "options": ["S", "M"], "visible": True, "variation": True},
            {"id": 0, "name": "Pattern", "options": ["Tartan"], "visible": True},
        ],
    )
    shop.edit(number, tags=["Sale & more", "t-SHIRT"], categories=["Outlet"])
    shop.products[number]["images"][0]["alt"] = "Anna in the park"

    work(store, number)

    assert shop.names_of(number, "tags") == [
        *("Sale & more", "t-SHIRT", "Navy blue", "White", "Striped")
    ]
    assert shop.names_of(number, "categories") == ["Outlet"]
    attributes = shop.attributes_of(number)
    assert (attributes["Size"], attributes["Pattern"]) == (["S", "M"], ["Tartan"])
    assert shop.alts_of(number) == ["Anna in the park"]


def test_gives_the_stores_own_category_where_there_is_none(shop, store):
    shop._find_or_make("categories", "T-Shirts")
    number = add_product(shop)
    shop_categories(store)

    work(store, number)

    assert shop.names_of(number, "categories") == ["T-Shirts"]


def test_makes_a_category_only_where_that_is_allowed(shop, store):
    first, second = add_product(shop), add_product(shop)

    work(store, first)
    Store.objects.update(create_categories=True)
    work(store, second)

    assert shop.names_of(first, "categories") == ["Uncategorized"]
    assert shop.names_of(second, "categories") == ["T-shirt"]


def test_writes_nothing_twice(shop, store):
    number = add_product(shop)
    work(store, number)
    before = list(shop.requests)

    for _time in range(3):
        shop.sell(number)
        work(store, number)

    new = shop.requests[len(before) :]
    assert new == [f"GET products/{number}"] * 3
    assert WriteBack.objects.count() == 1


def test_does_not_write_again_what_a_person_took_away(shop, store):
    number = add_product(shop)
    work(store, number)
    shop.edit(number, tags=["T-shirt", "Navy blue", "White"], attributes=[])
    shop.edit(number, images=[*shop.products[number]["images"], add_image(shop)])

    work(store, number)

    assert shop.names_of(number, "tags") == ["T-shirt", "Navy blue", "White"]
    assert shop.attributes_of(number) == {}


def test_undoes_a_change(shop, store, member):
    number = add_product(shop)
    shop.edit(number, tags=["Sale"])
    work(store, number)
    change = get_write_back(store, number)

    undo(store, member, change)
    write(store)

    assert shop.names_of(number, "tags") == ["Sale"]
    assert shop.attributes_of(number) == {}
    assert shop.alts_of(number) == [""]
    assert shop.names_of(number, "categories") == ["Uncategorized"]
    change.refresh_from_db()
    assert change.state == "reverted"


def test_undo_leaves_what_people_did_since(shop, store, member):
    number = add_product(shop)
    work(store, number)
    shop.edit(number, tags=["T-shirt", "Navy blue", "Beach"])

    undo(store, member, get_write_back(store, number))
    write(store)

    assert shop.names_of(number, "tags") == ["Beach"]


def test_what_was_undone_stays_undone_until_its_photos_change(shop, store, member):
    number = add_product(shop)
    work(store, number)
    undo(store, member, get_write_back(store, number))
    write(store)

    shop.edit(number, description="Softer than ever")
    work(store, number)
    assert shop.names_of(number, "tags") == []

    shop.edit(number, images=[add_image(shop)])
    work(store, number)
    assert "T-shirt" in shop.names_of(number, "tags")


def test_waits_for_review_where_the_model_is_unsure(shop, store, member):
    number = add_product(shop)

    work(store, number, result=make_result(make_garment(confidence=0.4)))
    assert shop.names_of(number, "tags") == []
    assert (get_row(store, number).state, get_write_back(store, number).state) == (
        "review",
        "review",
    )

    review(store, number, member)
    write(store)
    assert "Striped" in shop.names_of(number, "tags")


def test_mode_after_review_waits_for_a_person_even_where_the_model_is_sure(shop, store, member):
    Store.objects.update(mode="review")
    number = add_product(shop)

    work(store, number)
    assert shop.names_of(number, "tags") == []

    review(store, number, member, category="polo")
    write(store)
    assert "Polo shirt" in shop.names_of(number, "tags")
    assert "T-shirt" not in shop.names_of(number, "tags")


@pytest.mark.parametrize("confidence", [0.9, 0.4])
def test_what_waits_for_review_is_in_the_line_of_those_who_review(shop, store, member, confidence):
    Store.objects.update(mode="review")
    number = add_product(shop)

    work(store, number, result=make_result(make_garment(confidence=confidence)))

    assert get_write_back(store, number).state == "review"
    assert Annotation.objects.get().needs_review
    assert Product.objects.get().state == "in-review"


def test_after_a_preview_a_review_has_its_product_written(shop, store, member):
    number = add_product(shop)
    run = services.start_run(
        tenant=store.tenant, by=member, store_id=store.id, preview=True, now=timezone.now()
    )
    list_run(store)
    read(store)
    annotate(store)
    write(store)
    list_run(store)
    run.refresh_from_db()
    assert (run.state, get_write_back(store, number).state) == ("done", "suggested")

    review(store, number, member)
    write(store)

    assert "T-shirt" in shop.names_of(number, "tags")


def test_a_preview_that_was_stopped_writes_nothing(shop, store, member):
    number = add_product(shop)
    services.start_run(
        tenant=store.tenant, by=member, store_id=store.id, preview=True, now=timezone.now()
    )
    list_run(store)
    read(store)
    services.set_run_state(
        tenant=store.tenant,
        by=member,
        store_id=store.id,
        state=StoreRun.State.CANCELLED,
        now=timezone.now(),
    )

    annotate(store)
    write(store)

    assert shop.names_of(number, "tags") == []


def test_mode_suggest_writes_at_the_press_of_a_button(shop, store, member):
    Store.objects.update(mode="suggest")
    number = add_product(shop)
    work(store, number)
    assert shop.names_of(number, "tags") == []

    pressed = services.write_suggestions(
        tenant=store.tenant, by=member, store_id=store.id, now=timezone.now()
    )
    write(store)

    assert pressed == 1
    assert "T-shirt" in shop.names_of(number, "tags")


def test_uses_the_shops_words_and_language(shop, store, member):
    Store.objects.update(language="tr")
    services.change_words(
        tenant=store.tenant,
        by=member,
        store_id=store.id,
        words={"value:pattern:striped": "Çizgili desen", "colour:white": ""},
    )
    number = add_product(shop)

    work(store, number)

    assert shop.names_of(number, "tags") == ["Tişört", "Lacivert", "Çizgili desen"]
    assert shop.attributes_of(number) == {"Renk": ["Lacivert"], "Desen": ["Çizgili desen"]}


def test_writes_only_what_the_model_is_sure_enough_of(shop, store):
    Store.objects.update(threshold=0.9)
    number = add_product(shop)

    work(store, number)

    assert shop.names_of(number, "tags") == ["T-shirt", "Navy blue", "White"]
    assert shop.attributes_of(number) == {"Colour": ["Navy blue", "White"]}


def test_writes_nothing_but_what_is_chosen(shop, store):
    Store.objects.update(write_tags=False, write_alt=False)
    number = add_product(shop)

    work(store, number)

    assert shop.names_of(number, "tags") == []
    assert shop.alts_of(number) == [""]
    assert "Pattern" in shop.attributes_of(number)


def test_takes_away_words_that_are_out_of_date_only_where_that_is_wanted(shop, store):
    number = add_product(shop)
    work(store, number)
    Store.objects.update(append_only=False)
    shop.edit(number, images=[add_image(shop)])

    work(store, number, result=make_result(make_garment(colour="red")))

    assert shop.names_of(number, "tags") == ["T-shirt", "White", "Striped", "Red"]
    assert shop.attributes_of(number)["Colour"] == ["Red", "White"]


FAULTS = ["late-timeout", "timeout", "late-reset", "reset", "429", "500", "503", "html"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("position", [0, 1, 2, 4, 7])
def test_ends_as_intended_whatever_goes_wrong(shop, store, member, fault, position):
    number = add_product(shop)
    shop.edit(number, tags=["Sale"])
    shop.faults = [""] * position + [fault]

    work(store, number)
    for minutes in (1, 10, 30):
        write(store, now=later(minutes=minutes))

    tags = ["Sale", "T-shirt", "Navy blue", "White", "Striped"]
    assert shop.names_of(number, "tags") == tags
    assert sorted(shop.attributes_of(number)) == ["Colour", "Pattern"]
    assert len({row["name"].lower() for row in shop.terms["tags"].values()}) == len(
        shop.terms["tags"]
    )
    change = get_write_back(store, number)
    assert change.state == "applied"
    assert change.change["add_tags"] == tags[1:]
    assert change.before["tags"] == ["Sale"]
    undo(store, member, change)
    for minutes in (40, 50):
        write(store, now=later(minutes=minutes))
    assert shop.names_of(number, "tags") == ["Sale"]
    assert shop.alts_of(number) == [""]


def test_an_edit_between_a_lost_answer_and_the_next_try_stays(shop, store):
    number = add_product(shop)
    shop.faults = ["", "", "", "", "", "", "late-reset"]
    shop.after_fault = lambda _fault: shop.edit(number, tags=["Beach", "T-shirt"])

    work(store, number)
    shop.after_fault = lambda _fault: None
    write(store, now=later(minutes=10))

    # "Navy blue" and the others were written, then taken away by a person.
    assert shop.names_of(number, "tags") == ["Beach", "T-shirt"]


def test_finds_terms_that_were_deleted_in_the_store(shop, store):
    first, second = add_product(shop), add_product(shop)
    work(store, first)
    for tag in list(shop.terms["tags"]):
        shop.remove_term("tags", tag)

    work(store, second)

    assert shop.names_of(second, "tags") == ["T-shirt", "Navy blue", "White", "Striped"]


def test_one_term_that_is_gone_costs_no_other_product_its_category(shop, store):
    shop._find_or_make("categories", "T-Shirts")
    shop_categories(store)
    first, second = add_product(shop), add_product(shop)
    work(store, first)
    shop.edit(second, description="Softer")
    for tag in list(shop.terms["tags"]):
        shop.remove_term("tags", tag)
    Store.objects.update(create_categories=True)

    work(store, second)
    third = add_product(shop)
    work(store, third)

    assert shop.names_of(third, "categories") == ["T-Shirts"]
    assert [row["name"] for row in shop.terms["categories"].values()] == [
        *("Uncategorized", "T-Shirts")
    ]


@pytest.mark.parametrize(
    ("word", "kept"),
    [("Striped | lined", "Striped / lined"), ("<b>Striped</b>", "Striped")],
)
def test_words_that_a_store_cannot_hold_are_written_as_it_can(shop, store, member, word, kept):
    services.change_words(
        tenant=store.tenant,
        by=member,
        store_id=store.id,
        words={"value:pattern:striped": word},
    )
    number = add_product(shop)

    work(store, number)

    assert (get_row(store, number).state, get_row(store, number).problem) == ("written", "")
    assert kept in shop.names_of(number, "tags")


def test_a_store_that_ignores_accents_keeps_its_own_spelling(shop, store, member):
    Store.objects.update(language="tr")
    find = shop._find

    def ignore_accents(kind, name, *, parent=0):
        plain = {"Tişört": "Tisort"}.get(name, name)
        return find(kind, plain, parent=parent)

    shop._find = ignore_accents
    shop._find_or_make("tags", "Tisort")
    number = add_product(shop)

    work(store, number)

    assert get_row(store, number).state == "written"
    assert "Tisort" in shop.names_of(number, "tags")
    undo(store, member, get_write_back(store, number))
    write(store)
    assert shop.names_of(number, "tags") == []


def test_says_when_the_store_does_not_keep_what_was_written(shop, store, monkeypatch):
    number = add_product(shop)
    monkeypatch.setattr(shop, "_take_attribute", lambda _wish: None)

    work(store, number)

    assert get_row(store, number).problem == "not-kept"
    assert "Colour" in get_row(store, number).problem_text


def test_a_key_that_is_revoked_stops_the_store_and_tells_the_owners(shop, store, mailoutbox):
    number = add_product(shop)
    tell(store, number)
    read(store)
    annotate(store)
    shop.keys.clear()

    write(store)

    store.refresh_from_db()
    assert (store.state, store.problem) == ("broken", "key-unknown")
    tell_problem(store_id=str(store.id))
    assert "needs you" in mailoutbox[0].subject
    assert "does not know this key" in mailoutbox[0].body


def add_image(shop):
    return shop.add_image(make_photo_bytes())


def shop_categories(store):
    platforms.open_connection(store).list_categories()


def undo(store, member, change):
    services.undo(
        tenant=store.tenant, by=member, store_id=store.id, ids=[change.id], now=timezone.now()
    )


def review(store, number, member, category=""):
    garment = get_row(store, number).product.garment
    said = [Correction(garment.id, category)] if category else []
    review_annotation(
        tenant=store.tenant,
        annotation_id=garment.annotation_id,
        by=Reviewer(user=member.user),
        corrections=Corrections(garments=said),
        now=timezone.now(),
    )


def test_a_preview_leaves_to_review_what_the_model_is_unsure_of(shop, store, member):
    number = add_product(shop)
    services.start_run(
        tenant=store.tenant, by=member, store_id=store.id, preview=True, now=timezone.now()
    )
    list_run(store)
    read(store)
    annotate(store, make_result(make_garment(confidence=0.4)))
    write(store)

    assert get_write_back(store, number).state == "review"

    review(store, number, member)
    write(store)
    assert get_write_back(store, number).state == "suggested"
