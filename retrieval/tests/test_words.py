from dataclasses import replace
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.tests.factories import make_tenant
from annotations import engine
from annotations.models import FashionImage
from annotations.tests.factories import make_garment, make_result
from inference import client
from inference.contract import EngineHealth, Label, ModelName
from retrieval import facets, suggesting, words
from retrieval.filters import Filters
from retrieval.models import IndexVersion, Product
from retrieval.tests.factories import add_annotated_photo, make_product
from retrieval.tests.test_similar import at

pytestmark = pytest.mark.django_db


def make_seen(tenant, title: str, category: str, colour: str, *values: str, **fields) -> Product:
    """A product with a photo on which Kalas sees this."""
    names = colour.split()
    garment = make_garment(
        category=category, colour=names[0], embedding=fields.pop("embedding", ())
    )
    labels = tuple(Label(value.split(":")[0], value.split(":")[1], 0.9) for value in values)
    colours = tuple(replace(garment.colours[0], name=name) for name in names)
    product = make_product(tenant=tenant, title=title, **fields)
    add_annotated_photo(product, make_result(replace(garment, attributes=labels, colours=colours)))
    return product


@pytest.fixture
def shop(tenant):
    make_seen(tenant, "Yazlık model 12", "t-shirt", "red", "pattern:striped")
    make_seen(tenant, "Red Tape everyday", "t-shirt", "white", "pattern:plain")
    make_seen(tenant, "İpek Gömlek", "shirt", "red", "pattern:striped")
    make_seen(tenant, "Summer dress", "dress", "navy-blue", "pattern:floral", price=20)
    return tenant


def search(tenant, text: str, language: str = "en", **options) -> words.Found:
    return words.search(tenant=tenant, text=text, language=language, now=timezone.now(), **options)


def titles(found: words.Found) -> list[str]:
    return [product.title for product in found.products]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("kırmızı çizgili tişört", "tr"),
        ("kirmizi cizgili tisort", "tr"),
        ("KIRMIZI ÇİZGİLİ TİŞÖRT", "tr"),
        ("red striped t-shirt", "en"),
        ("striped red tee", "tr"),
        ("kırmızı çizgili tişört", "en"),
    ],
)
def test_reads_what_is_meant(shop, text, language):
    found = search(shop, text, language)

    assert (found.kind, found.total) == ("all", 1)
    assert titles(found) == ["Yazlık model 12"]
    names = {sense.name for term in found.reading.known for sense in term.senses}
    assert {"red", "t-shirt", "pattern:striped"} <= names


@pytest.mark.parametrize(
    ("text", "language", "title"),
    [
        ("ipek", "tr", "İpek Gömlek"),
        ("IPEK", "en", "İpek Gömlek"),
        ("gömlekler", "tr", "İpek Gömlek"),
        ("dresses for summer", "en", "Summer dress"),
        ("yazlik", "tr", "Yazlık model 12"),
        ("everyday", "tr", "Red Tape everyday"),
    ],
)
def test_finds_words_of_titles_in_both_languages(shop, text, language, title):
    assert titles(search(shop, text, language)) == [title]


def test_finds_by_id_and_description(shop):
    product = make_product(
        tenant=shop, external_id="AB-4711", title="Coat", description="Warm merino wool."
    )

    assert search(shop, "AB-4711").products == (product,)
    assert search(shop, "merino").products == (product,)


def test_what_is_meant_comes_before_what_is_only_written(shop):
    found = titles(search(shop, "red t-shirt"))

    assert found[0] == "Yazlık model 12"
    assert "Red Tape everyday" in found


def test_what_has_the_colour_most_comes_first(tenant):
    """However much the red one's neighbours look like the words."""
    make_seen(tenant, "Striped, a little red", "t-shirt", "navy-blue white red")
    make_seen(tenant, "All red", "t-shirt", "red")
    make_seen(tenant, "Half red", "t-shirt", "white red")

    assert titles(search(tenant, "red t-shirt")) == ["All red", "Half red", "Striped, a little red"]


def test_looks_put_nothing_before_what_the_words_mean(tenant, reads_words):
    make_seen(tenant, "Plain", "t-shirt", "red")
    first = Product.objects.get()
    make_seen(tenant, "Red t-shirt to wear below", "dress", "navy-blue")

    found = words._fuse_in_tiers(
        [(first.id, 2), (other := Product.objects.exclude(id=first.id).get().id, 0)], [other]
    )

    assert found == [first.id, other]
    assert titles(search(tenant, "red t-shirt")) == ["Plain", "Red t-shirt to wear below"]


def test_says_when_only_some_words_match(shop):
    found = search(shop, "green striped shirt")

    assert found.kind == "some"
    assert titles(found)[0] == "İpek Gömlek"


@pytest.mark.parametrize("text", ["", "   ", "qwertz", "and ve", "'; DROP --", "a:* & !b", "\0"])
def test_nothing_is_an_answer(shop, text):
    assert search(shop, text) == words.Found((), 0, words.read(text, "en"), "nothing")


def test_other_shops_products_are_not_found(shop):
    assert search(make_tenant(), "red").kind == "nothing"


def test_filters_narrow(shop):
    assert titles(search(shop, "red", filters=Filters(category="shirt"))) == ["İpek Gömlek"]


def test_pages(shop):
    whole = search(shop, "red")
    rest = search(shop, "red", offset=1, limit=1)

    assert (rest.total, rest.products) == (whole.total, whole.products[1:2])


def test_labels_follow_the_photos(tenant):
    product = make_seen(tenant, "Model 1", "t-shirt", "red")
    assert search(tenant, "tişört", "tr").kind == "all"

    FashionImage.objects.get(product_images__product=product).delete()

    assert search(tenant, "tişört", "tr").kind == "nothing"


@pytest.fixture
def reads_words(monkeypatch):
    """The engine's model has a text encoder, which sees blue in every text."""
    health = EngineHealth("ready", "cpu", ModelName("kalas-mini", "1", "kalas-1"), 0, 8, 0, 1.0)
    monkeypatch.setattr(engine, "_ask_health", lambda: health)
    asked: list[str] = []

    def embed(self: object, text: str, timeout: float) -> list[float]:
        asked.append(text)
        return list(at(0))

    monkeypatch.setattr(client.Client, "embed_text", embed)
    return asked


def test_what_looks_like_the_words_is_ranked_in(tenant, reads_words):
    far = make_seen(tenant, "Shirt 1", "shirt", "red", embedding=at(60))
    near = make_seen(tenant, "Shirt 2", "shirt", "red", embedding=at(5))

    found = search(tenant, "shirt")

    assert (found.kind, found.products) == ("all", (near, far))
    assert reads_words == ["shirt"]


def test_what_only_looks_like_the_words(tenant, reads_words):
    product = make_seen(tenant, "Shirt", "shirt", "red", embedding=at(5))

    found = search(tenant, "bohemian")

    assert (found.kind, found.products) == ("looks", (product,))


def test_what_hardly_looks_like_the_words_is_no_answer(tenant, reads_words):
    near = make_seen(tenant, "Shirt", "shirt", "red", embedding=at(5))
    make_seen(tenant, "Boots", "boots", "red", embedding=at(75))

    assert search(tenant, "bohemian").products == (near,)
    assert search(tenant, "qwertz shirt").products == (near,)
    IndexVersion.objects.update(words_cut_off=0.999)
    assert search(tenant, "bohemian").kind == "nothing"


def test_an_engine_without_words(tenant, reads_words, monkeypatch):
    def refuse(*_args: object, **_options: object) -> None:
        raise client.NoWords

    monkeypatch.setattr(client.Client, "embed_text", refuse)
    product = make_seen(tenant, "Shirt", "shirt", "red", embedding=at(5))

    assert search(tenant, "shirt").products == (product,)
    assert search(tenant, "bohemian").kind == "nothing"


def test_fusing_two_rankings():
    a, b, c = uuid4(), uuid4(), uuid4()

    assert words.fuse([a, b, c], [b, c]) == [b, c, a]
    assert words.fuse([a, b, c], []) == [a, b, c]
    assert words.fuse([a], [b]) == [a, b]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("ti", "tr", "Tişört"),
        ("tiş", "en", "Tişört"),
        ("kırmızı ti", "tr", "kırmızı tişört"),
        ("red cotton t-s", "en", "red cotton t-shirt"),
        ("t-s", "en", "T-shirt"),
        ("str", "en", "Striped"),
        ("ipe", "tr", "İpek Gömlek"),
        ("IPEK", "en", "İpek Gömlek"),
    ],
)
def test_suggests_what_the_shop_has(shop, text, language, expected):
    found = suggesting.suggest(tenant=shop, text=text, language=language)

    assert expected in [each.text for each in found], found


def test_the_next_letters_do_not_read_the_catalogue_again(shop, django_assert_max_num_queries):
    suggesting.suggest(tenant=shop, text="r", language="en")

    with django_assert_max_num_queries(1):
        found = suggesting.suggest(tenant=shop, text="re", language="en")
    assert (found[0].text, found[0].number) == ("Red", 2)


def test_suggests_titles_by_the_beginnings_of_their_words(shop):
    made = Product.objects.for_tenant(shop).get(title="İpek Gömlek")
    Product.objects.filter(id=made.id).update(label_words="pekin")

    found = suggesting.suggest(tenant=shop, text="pek", language="tr")
    assert "İpek Gömlek" not in [each.text for each in found]


def test_suggests_nothing_for_nothing(shop):
    assert suggesting.suggest(tenant=shop, text="", language="en") == []
    assert suggesting.suggest(tenant=shop, text="red ", language="en") == []
    assert suggesting.suggest(tenant=shop, text="xyz", language="en") == []
    assert suggesting.suggest(tenant=make_tenant(), text="t", language="en") == []


def test_facets_with_their_numbers(shop):
    counted = facets.count_facets(Product.objects.for_tenant(shop))

    assert counted.categories == (("t-shirt", 2), ("dress", 1), ("shirt", 1))
    assert counted.colours == (("red", 2), ("navy-blue", 1), ("white", 1))
    assert counted.attributes[0] == ("pattern:striped", 2)
    assert counted.objects == (("upper-body", 4),)


def test_offers_examples_of_what_the_shop_has(tenant):
    for index, (category, colour) in enumerate(
        [("dress", "black"), ("dress", "black"), ("skirt", "black"), ("skirt", "red")]
    ):
        make_seen(tenant, f"Product {index}", category, colour, embedding=at(index))

    english = suggesting.suggest_examples(tenant=tenant, language="en")
    turkish = suggesting.suggest_examples(tenant=tenant, language="tr-TR")

    assert english == ["black dress", "red skirt"]
    assert turkish[0] == "siyah elbise"
    assert suggesting.suggest_examples(tenant=make_tenant(), language="en") == []
