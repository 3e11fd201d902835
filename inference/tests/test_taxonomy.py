import re

import pytest

from inference import taxonomy
from inference.taxonomy import (
    Attribute,
    AttributeValue,
    Category,
    ColourName,
    Named,
    UnknownLabel,
)

ETRYON = {
    "shirts", "formal jackets", "t-shirts", "hoodies", "tanks", "camis", "sweaters", "cardigans",
    "blouses", "coats & jackets", "shawls & capes & ponchos", "shorts", "skirts", "jeans",
    "trousers", "dresses", "jumpsuits", "playsuits", "trainers", "boots", "flats", "sandals",
    "heels",
}  # fmt: skip

ETRYON_KEYS = {
    "pattern", "style", "leg style", "sleeve style", "hem style", "fit", "neckline style", "rise",
    "length",
}  # fmt: skip

ETRYON_PATTERNS = {
    "ethnic", "graphic", "floral", "tropical", "striped", "checked", "animal print", "polka dots",
    "paisley", "spots", "tartan", "geometric", "colourblock", "fair isle", "camouflage",
    "grid print", "dip-dyed", "tie-dyed", "zigzag", "washed",
}  # fmt: skip

# Category classes of eTryOn → their styles.
ETRYON_STYLES: tuple[tuple[str, str], ...] = (
    ("trousers", "sweatpants|leggings|culottes|peg|harem|capri|formal|chino"),
    ("trousers, shorts", "cargo"),
    ("jeans", "jeggings|mom|boyfriend"),
    ("skirts, dresses", "pencil|skater|a-line|frill|flowy"),
    ("shorts", "sweatshorts|cutoff|bermuda|skort|running|cycling"),
    ("dresses", "wedding|bridesmaid|bodycon|tunic|jumper|shirt|shift|slip|tea|cocktail|pinafore|"
     "wrap|sundress|smock"),
    ("shirts", "formal|collarless"),
    ("formal jackets", "blazer"),
    ("t-shirts", "boxy|varsity|baseball|boyfriend|fitted|sport|polo|muscle"),
    ("blouses", "tie-front|bib|popover"),
    ("cardigans", "waterfall"),
    ("coats & jackets", "duster|parka|trench|peacoat|coatigan|duffle|bomber|biker|puffer|anorak|"
     "windcheater|windbreaker|coach|borg|quilted|trucker"),
    ("trainers", "running|high-top|chunky|fashion"),
    ("boots", "wellies|winter|chukka|chelsea|biker|cowboy|sock"),
    ("flats", "loafers|brogues|ballerinas|plimsolls|boat|moccasins"),
    ("flats, heels", "mules|d'orsay|espadrilles"),
    ("heels", "court"),
    ("sandals", "gladiator|t-bar|toe-thong|flip-flops|sliders"),
)  # fmt: skip

BASIC_COLOURS = {
    "black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown",
}  # fmt: skip


def test_orders_the_answers_of_a_new_model_with_the_abstention_last():
    names = taxonomy.load()

    assert names.label_order[:-1] == tuple(c.name for c in names.categories if c.trained)
    assert names.label_order[-1] == names.abstention


def test_covers_the_23_category_classes_of_etryon():
    assert {c.etryon for c in taxonomy.load().categories if c.etryon} == ETRYON


def test_covers_the_nine_attribute_keys_of_etryon_and_its_patterns():
    names = taxonomy.load()

    assert {a.etryon for a in names.attributes if a.etryon} == ETRYON_KEYS
    patterns = {v.etryon for v in names.attribute("pattern").values if v.etryon}
    assert patterns == ETRYON_PATTERNS


def test_gives_each_category_of_etryon_its_styles():
    names = taxonomy.load()
    styles = names.attribute("style")
    expected = {
        (kind, style)
        for kinds, words in ETRYON_STYLES
        for kind in kinds.split(", ")
        for style in words.split("|")
    }

    found = {
        (category.etryon, style.etryon)
        for style in styles.values
        for category in names.categories
        if category.etryon and names.applies("style", style.name, category.name)
    }
    assert found >= expected
    assert {style for _, style in expected} == {style.etryon for style in styles.values}


def test_tells_homonyms_apart_by_category():
    names = taxonomy.load()

    assert names.applies("style", "boyfriend-jeans", "jeans")
    assert not names.applies("style", "boyfriend-jeans", "t-shirt")
    assert names.applies("style", "boyfriend-t-shirt", "t-shirt")
    assert not names.applies("style", "boyfriend-t-shirt", "jeans")


def test_tells_only_what_training_photos_of_the_category_say():
    names = taxonomy.load()

    assert names.tells("neckline", "hooded", "hoodie")
    assert names.applies("neckline", "hooded", "coat-jacket")
    assert not names.tells("neckline", "hooded", "coat-jacket")
    assert names.tells("pattern", "striped", "dress")
    assert not names.tells("pattern", "striped", "watch")


def test_applies_attributes_where_they_make_sense():
    names = taxonomy.load()

    assert names.applies("pattern", "striped", "dress")
    assert names.applies("pattern", "striped", "socks")
    assert not names.applies("pattern", "striped", "watch")
    assert not names.applies("sleeve-length", "long-sleeve", "jeans")
    assert names.applies("neckline", "polo-collar", "polo")
    assert not names.applies("neckline", "polo-collar", "shirt")
    assert not names.applies("gender", "women", names.abstention)
    with pytest.raises(UnknownLabel):
        names.applies("pattern", "stripy", "dress")
    with pytest.raises(UnknownLabel):
        names.applies("mood", "happy", "dress")


def test_applies_each_value_somewhere_and_only_where_its_key_does():
    names = taxonomy.load()

    for attribute in names.attributes:
        assert attribute.applies_to
        for value in attribute.values:
            assert set(value.applies_to) <= set(attribute.applies_to), (attribute.key, value.name)


def test_lets_a_garment_have_one_value_of_a_key():
    assert all(attribute.exclusive for attribute in taxonomy.load().attributes)


def test_orders_the_answers_of_the_attribute_heads():
    names = taxonomy.load()

    assert names.attribute_order[0] == ("gender", tuple(g.name for g in names.genders))
    for key, values in names.attribute_order:
        trained = tuple(v.name for v in names.attribute(key).values if v.trained)
        # A head with a single answer would always give it.
        assert values == trained
        assert len(values) > 1


def test_names_values_once_in_a_key():
    for attribute in taxonomy.load().attributes:
        values = [value.name for value in attribute.values]

        assert len(values) == len(set(values)) > 1


def test_names_everything_in_english_and_turkish():
    names = taxonomy.load()

    groups: tuple[tuple[Named | Category | ColourName | Attribute | AttributeValue, ...], ...] = (
        names.object_types,
        names.categories,
        names.genders,
        names.colour_families,
        names.colours,
        names.attributes,
        *(attribute.values for attribute in names.attributes),
    )
    for titles in (item.names for group in groups for item in group):
        assert set(titles) == {"en", "tr"}
        assert all(title == title.strip() != "" for title in titles.values())


@pytest.mark.parametrize("group", ["object_types", "categories", "colour_families", "colours"])
def test_uses_each_name_once(group):
    items = [item.name for item in getattr(taxonomy.load(), group)]

    assert len(items) == len(set(items))


def test_puts_each_category_under_an_object_type():
    names = taxonomy.load()

    assert {c.object_type for c in names.categories} == {o.name for o in names.object_types}


def test_gives_each_colour_a_hex_and_a_family():
    names = taxonomy.load()
    families = {family.name for family in names.colour_families}

    assert families == BASIC_COLOURS | {"gold", "silver", "multi"}
    for colour in names.colours:
        assert re.fullmatch("#[0-9a-f]{6}", colour.hex)
    assert {colour.family for colour in names.colours} == BASIC_COLOURS


def test_shows_titles_in_the_reader_s_language():
    names = taxonomy.load()

    assert names.title("category", "jeans", "tr") == "Kot pantolon"
    assert names.title("object", "footwear", "en-gb") == "Footwear"
    assert names.title("colour", "navy-blue", "tr-TR") == "Lacivert"
    assert names.title("category", "not-a-garment", "en") == "Not a garment"
    assert names.title("attribute", "sleeve-length", "tr") == "Kol boyu"
    assert names.title("value", "pattern:striped", "tr") == "Çizgili"
    assert names.title("category", "jeans", "de") == "Jeans"


def test_refuses_an_unknown_category():
    with pytest.raises(UnknownLabel):
        taxonomy.load().category("spaceship")


@pytest.mark.parametrize("data_set", ["fpi", "clothing", "ccp"])
def test_means_only_known_categories_or_says_why_not(data_set):
    names = taxonomy.load()
    known = {category.name for category in names.categories} | {names.abstention}

    for label, meaning in taxonomy.load_labels(data_set).meanings.items():
        assert set(meaning.categories) <= known, label
        assert bool(meaning.categories) != bool(meaning.ignored_because), label


def test_maps_every_label_that_the_data_sets_list():
    assert set(taxonomy.load_labels("fpi").meanings) >= set(FPI_TYPES)
    assert set(taxonomy.load_labels("clothing").meanings) >= set(CLOTHING_LABELS)
    assert set(taxonomy.load_labels("ccp").meanings) == set(CCP_LABELS)


def test_lets_a_product_name_tell_polos_from_t_shirts():
    labels = taxonomy.load_labels("fpi")

    assert labels.meaning("Tshirts", "Nike Women Purple Polo T-shirt").categories == ("polo",)
    assert labels.meaning("Tshirts", "Nike Men Printed Blue Tshirt").categories == ("t-shirt",)
    brand = labels.meaning("Tshirts", "U.S. Polo Assn. Men Solid Green Tshirt")
    assert set(brand.categories) == {"t-shirt", "polo"}


@pytest.mark.parametrize(
    ("label", "name", "categories"),
    [
        ("Tshirts", "Classic Polo Men Red T-shirt", {"t-shirt", "polo"}),
        ("Tshirts", "Classic Polo Men Stripes Blue Polo T-Shirt", {"polo"}),
        ("Casual Shoes", "Nike Men Black Casual Shoes", {"casual-shoes", "trainers"}),
        ("Casual Shoes", "Clarks Men Brown Leather Loafers", {"casual-shoes", "flats"}),
        ("Casual Shoes", "Timberland Women Femmes Brown Boot", {"boots"}),
        ("Flats", "Catwalk Women Black Ballerinas", {"flats"}),
        ("Heels", "Rocia Women Black Flats", {"sandals", "flats"}),
        ("Heels", "Catwalk Women Black Stilettos", {"heels"}),
        ("Sweaters", "Arrow Woman Black Cardigan", {"cardigan"}),
        ("Capris", "Jealous 21 Women Washed Light Blue Capris", {"jeans"}),
        ("Swimwear", "ADIDAS Women Stripe Black Swimming Cap", {"hat"}),
        ("Rompers", "Madagascar3 Infant Boys White Snapsuit Romper", {"bodysuit"}),
        ("Free Gifts", "Satya Paul Purple Saree", {"saree"}),
        ("Innerwear Vests", "Levis Men Grey Innerwear T-Shirt", {"tank", "t-shirt"}),
        ("Innerwear Vests", "Hanes Men Sleeveless V Neck Red Innerwear T-shirt", {"tank"}),
    ],
)
def test_refines_a_shop_s_label_by_the_product_s_name(label, name, categories):
    assert set(taxonomy.load_labels("fpi").meaning(label, name).categories) == categories


def test_has_name_rules_for_reviewed_labels_only():
    labels = taxonomy.load_labels("fpi")
    known = {category.name for category in taxonomy.load().categories}

    for rule in labels.rules:
        assert rule.label in labels.meanings
        assert rule.meaning.categories
        assert set(rule.meaning.categories) <= known


def test_folds_the_data_s_colours_into_families():
    labels = taxonomy.load_colour_labels()
    families = {family.name for family in taxonomy.load().colour_families}

    assert labels.meaning("Navy Blue").categories == ("blue",)
    assert labels.meaning("NA").ignored_because
    assert {c for m in labels.meanings.values() for c in m.categories} == families


def test_refuses_a_label_nobody_reviewed():
    with pytest.raises(UnknownLabel):
        taxonomy.load_labels("clothing").meaning("Spacesuit")


def split_labels(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


CLOTHING_LABELS = split_labels(
    "T-Shirt|Pants|Longsleeve|Shirt|Shoes|Dress|Shorts|Outwear|Not sure|Hat|Skirt|Polo|Blazer|"
    "Undershirt|Hoodie|Other|Body|Top|Blouse|Skip"
)

CCP_LABELS = split_labels(
    "null|accessories|bag|belt|blazer|blouse|bodysuit|boots|bra|bracelet|cape|cardigan|clogs|"
    "coat|dress|earrings|flats|glasses|gloves|hair|hat|heels|hoodie|intimate|jacket|jeans|"
    "jumper|leggings|loafers|necklace|panties|pants|pumps|purse|ring|romper|sandals|scarf|"
    "shirt|shoes|shorts|skin|skirt|sneakers|socks|stockings|suit|sunglasses|sweater|sweatshirt|"
    "swimwear|t-shirt|tie|tights|top|vest|wallet|watch|wedges"
)

FPI_TYPES = split_labels(
    "Accessory Gift Set|Baby Dolls|Backpacks|Bangle|Basketballs|Bath Robe|Beauty Accessory|"
    "Belts|Blazers|Body Lotion|Booties|Boxers|Bra|Bracelet|Briefs|Camisoles|Capris|Caps|"
    "Casual Shoes|Churidar|Clothing Set|Clutches|Compact|Concealer|Cufflinks|Deodorant|Dresses|"
    "Duffel Bag|Dupatta|Earrings|Eye Cream|Eyeshadow|Face Moisturisers|"
    "Face Scrub and Exfoliator|Face Serum and Gel|Face Wash and Cleanser|Flats|Flip Flops|"
    "Footballs|Formal Shoes|Foundation and Primer|Fragrance Gift Set|Free Gifts|Gloves|"
    "Hair Accessory|Hair Colour|Handbags|Hat|Headband|Heels|Highlighter and Blush|"
    "Innerwear Vests|Ipad|Jackets|Jeans|Jeggings|Jewellery Set|Jumpsuit|Kajal and Eyeliner|"
    "Key chain|Kurta Sets|Kurtas|Kurtis|Laptop Bag|Leggings|Lehenga Choli|Lip Care|Lip Gloss|"
    "Lip Liner|Lip Plumper|Lipstick|Lounge Pants|Lounge Shorts|Lounge Tshirts|Makeup Remover|"
    "Mascara|Mask and Peel|Mens Grooming Kit|Messenger Bag|Mobile Pouch|Mufflers|"
    "Nail Essentials|Nail Polish|Necklace and Chains|Nehru Jackets|Night suits|Nightdress|"
    "Patiala|Pendant|Perfume and Body Mist|Rain Jacket|Rain Trousers|Ring|Robe|Rompers|"
    "Rucksacks|Salwar|Salwar and Dupatta|Sandals|Sarees|Scarves|Shapewear|Shirts|"
    "Shoe Accessories|Shoe Laces|Shorts|Shrug|Skirts|Socks|Sports Sandals|Sports Shoes|"
    "Stockings|Stoles|Sunglasses|Sunscreen|Suspenders|Sweaters|Sweatshirts|Swimwear|"
    "Tablet Sleeve|Ties|Ties and Cufflinks|Tights|Toner|Tops|Track Pants|Tracksuits|"
    "Travel Accessory|Trolley Bag|Trousers|Trunk|Tshirts|Tunics|Umbrellas|Waist Pouch|"
    "Waistcoat|Wallets|Watches|Water Bottle|Wristbands"
)
