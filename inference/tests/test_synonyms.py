import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import taxonomy
from inference.synonyms import Sense, fold
from inference.taxonomy import Kind


def meanings(text: str, language: str) -> list[list[str]]:
    return [[f"{s.kind} {s.name}" for s in term.senses] for term in fold(text, language).terms]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("kırmızı çizgili tişört", "tr",
         [["family red"], ["value pattern:striped"], ["category t-shirt"]]),
        ("KIRMIZI ÇİZGİLİ TİŞÖRTLER", "tr-TR",
         [["family red"], ["value pattern:striped"], ["category t-shirt"]]),
        ("kirmizi cizgili tisort", "tr",
         [["family red"], ["value pattern:striped"], ["category t-shirt"]]),
        ("red striped women's top", "en",
         [["family red"], ["value pattern:striped"], ["value gender:women"], ["category top"]]),
        ("lacivert kot pantolon", "tr", [["colour navy-blue"], ["category jeans"]]),
        ("siyah ayakkabı", "tr", [["family black"], ["object footwear"]]),
        ("kız çocuk yazlık elbiseler", "tr",
         [["value gender:girls"], ["value season:summer"], ["category dress"]]),
        ("white shirts", "en-gb", [["family white"], ["category shirt"]]),
        ("uzun kollu kareli gömlek", "tr",
         [["value sleeve-length:long-sleeve"], ["value pattern:checked"], ["category shirt"]]),
        ("floral jumpsuit", "tr", [["value pattern:floral"], ["category jumpsuit"]]),
    ],
)  # fmt: skip
def test_reads_what_is_looked_for(text, language, expected):
    assert meanings(text, language) == expected


@pytest.mark.parametrize(
    ("words", "language", "sense"),
    [
        (["aztec", "tribal", "navajo"], "en", Sense("value", "pattern:ethnic")),
        (["jumper", "sweater", "pullover"], "en", Sense("category", "sweater")),
        (["tee", "t-shirt", "t shirt", "tshirt", "tees", "T-Shirts"], "en",
         Sense("category", "t-shirt")),
        (["stripe", "stripes", "striped"], "en", Sense("value", "pattern:striped")),
        (["check", "checks", "checked", "plaid"], "en", Sense("value", "pattern:checked")),
        (["tank", "tank top", "undershirt"], "en", Sense("category", "tank")),
        (["gray", "grey"], "en", Sense("family", "grey")),
        (["watch", "watches", "wristwatch"], "en", Sense("category", "watch")),
        (["sari", "SARİ"], "tr", Sense("category", "saree")),
        (["etek", "etekler", "skirt"], "tr", Sense("category", "skirt")),
        (["kazak", "süveter", "suveter", "kazaklar"], "tr", Sense("category", "sweater")),
    ],
)  # fmt: skip
def test_folds_synonyms_to_one(words, language, sense):
    for word in words:
        (term,) = fold(word, language).terms
        assert sense in term.senses, word


def test_tells_homonyms_by_the_garment():
    assert meanings("boyfriend jeans", "en")[0] == ["value style:boyfriend-jeans"]
    assert meanings("boyfriend tee", "en")[0] == ["value style:boyfriend-t-shirt"]
    assert meanings("biker boots", "en")[0] == ["value style:biker-boots"]
    assert meanings("biker jacket", "en")[0] == ["value style:biker-jacket"]
    assert len(meanings("boyfriend", "en")[0]) == 2


def test_takes_the_last_garment_for_the_one_that_is_meant():
    assert meanings("shirt dress", "en") == [["value style:shirt-dress"], ["category dress"]]
    assert meanings("hooded jacket", "en") == [["value neckline:hooded"], ["category coat-jacket"]]
    assert meanings("kapüşonlu mont", "tr") == [
        ["value neckline:hooded"],
        ["category coat-jacket"],
    ]
    assert meanings("kapüşonlu", "tr") == [["category hoodie"]]
    assert meanings("shirt and jeans", "en") == [["category shirt"], ["category jeans"]]


def test_tells_yellow_from_a_saree_where_it_is_written_so():
    assert meanings("sarı", "tr") == [["family yellow"]]
    assert meanings("sari", "tr") == [["category saree"]]
    assert meanings("sari elbise", "tr") == [["family yellow"], ["category dress"]]


def test_keeps_the_words_that_it_does_not_know():
    folded = fold("red dress for the moon", "en")

    assert folded.rest == ("for", "the", "moon")
    assert folded.named("category") == ("dress",)
    assert folded.named("value") == ()


@pytest.mark.parametrize("language", ["en", "tr"])
def test_understands_every_title(language):
    names = taxonomy.load()

    for category in names.categories:
        usual = taxonomy.words("category", category.name, language)[0]
        assert category.name in fold(usual, language).named("category"), usual
    families = {family.name for family in names.colour_families}
    for colour in names.colours:
        usual = taxonomy.words("colour", colour.name, language)[0]
        kind: Kind = "family" if colour.name in families else "colour"
        assert colour.name in fold(usual, language).named(kind), usual


@given(st.text(max_size=80), st.sampled_from(["en", "tr", "de"]))
def test_reads_any_text(text, language):
    folded = fold(text, language)

    assert all(term.senses for term in folded.terms)
