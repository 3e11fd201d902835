"""Real names of the training files; nothing here comes from those that models are measured on."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import taxonomy
from inference.training import names

# (name, article type, what the name alone says, the search for it)
NAMES: tuple[tuple[str, str, dict[str, str], str], ...] = (
    ("Turtle Check Men Navy Blue Shirt", "Shirts", {"pattern": "checked"},
     "checked men navy blue shirt"),
    ("United Colors of Benetton Women Solid Blue Sweat Shirts", "Sweatshirts",
     {"pattern": "solid"}, "women solid blue sweat shirt"),
    ("United Colors Of Benetton Women Light Winter Pink Tops", "Tops", {},
     "women light winter pink top"),
    ("United Colors of Benetton Men Stripes Purple Polo T-shirts", "Tshirts",
     {"pattern": "striped", "neckline": "polo-collar"}, "men striped purple polo t-shirt"),
    ("United Colors of Benetton Girls Washed Blue Jeans", "Jeans", {"pattern": "washed"},
     "girls washed blue jeans"),
    ("United Colors of Benetton Women Short White T-shirt", "Tshirts", {},
     "women short white t-shirt"),
    ("UCB Men's Polo Neck Striper Heavy Wash Black Pink T-shirt", "Tshirts",
     {"pattern": "striped", "neckline": "polo-collar"},
     "men polo neck striped heavy washed black pink t-shirt"),
    ("UCB Women Sleeveless Cowl Neck White Top", "Tops",
     {"sleeve-length": "sleeveless", "neckline": "cowl-neck"},
     "women sleeveless cowl neck white top"),
    ("UCB Women's V Neck Black T-shirt", "Tshirts", {"neckline": "v-neck"},
     "women v-neck black t-shirt"),
    ("UCB Women's Boat Neck Chest Print Grey T-shirt", "Tshirts",
     {"pattern": "printed", "neckline": "boat-neck"}, "women boat neck chest printed grey t-shirt"),
    ("U.S. Polo Assn. Men Striped Blue Shirt", "Shirts", {"pattern": "striped"},
     "men striped blue shirt"),
    ("U.S. Polo Assn. Men Solid Limoges Polo Tshirt", "Tshirts",
     {"pattern": "solid", "neckline": "polo-collar"}, "men solid limoges polo t-shirt"),
    ("U.S. Polo Assn. Denim Co. Men Blue Shirt", "Shirts", {}, "men blue shirt"),
    ("U.S. Polo Assn. Men Brown Sandals", "Sandals", {}, "men brown sandals"),
    ("Classic Polo Men's Wat Duh Pho Grey T-shirt", "Tshirts", {}, "men wat duh pho grey t-shirt"),
    ("Classic Polo Men Stripes Blue Polo T-Shirt", "Tshirts",
     {"pattern": "striped", "neckline": "polo-collar"}, "men striped blue polo t-shirt"),
    ("Gini and Jony Boys Red & Blue Striped Tshirt", "Tshirts", {"pattern": "striped"},
     "boys red blue striped t-shirt"),
    ("Gini & Jony Girls Pink Pedal Pusher", "Capris", {}, "girls pink pedal pusher"),
    ("Gini and Jony Girl's Vollie White Infant Kidswear", "Tops", {"age-group": "infant"},
     "girls vollie white infant kids"),
    ("Gini and Jony Boys Yellow 3/4 Length Pants", "Capris", {"length": "three-quarter-length"},
     "boys yellow 3/4 length trousers"),
    ("ADIDAS Men 3 Stripe Black Polo T-shirt", "Tshirts", {"neckline": "polo-collar"},
     "men striped black polo t-shirt"),
    ("ADIDAS Men Sf Striped Hood Black Sweatshirts", "Sweatshirts",
     {"pattern": "striped", "neckline": "hooded"}, "men sf striped hood black sweatshirt"),
    ("ADIDAS Womens Blue V Neck T-shirt", "Tshirts", {"neckline": "v-neck"},
     "women blue v-neck t-shirt"),
    ("ADIDAS Delhi Daredevils Unisex Navy Blue Match Cap", "Caps", {},
     "unisex navy blue match cap"),
    ("Puma Men's Large Logo Graphic Black T-shirt", "Tshirts", {"pattern": "printed"},
     "men large logo graphic black t-shirt"),
    ("Puma Men's Deccan Chargers Blue Polo T-shirt", "Tshirts", {"neckline": "polo-collar"},
     "men blue polo t-shirt"),
    ("Puma Men Knitted Vest Grey Sweater", "Sweaters", {}, "men knitted vest grey sweater"),
    ("Puma Men Axis Blue & Black Sports Shoes", "Sports Shoes", {},
     "men axis blue black sports shoes"),
    ("Nike Men Air Citius 2+ MSL White Sports Shoes", "Sports Shoes", {},
     "men air citius msl white sports shoes"),
    ("Nike Women Flower Green Tshirts", "Tshirts", {}, "women flower green t-shirt"),
    ("Nike Men Tnfl Crew Blue T-Shirts", "Tshirts", {"neckline": "crew-neck"},
     "men tnfl crew blue t-shirt"),
    ("Levis Men Argyle Flat Knit Crew Grey Pack of 3 Socks", "Socks", {},
     "men argyle flat knit crew grey socks"),
    ("Levis Kids Boy's Danio Grey Teens Kidswear", "Tshirts", {"age-group": "teen"},
     "kids boys danio grey teen"),
    ("Doodle Kids Girls Navy Blue Floral Print Dress", "Dresses",
     {"age-group": "child", "pattern": "floral"}, "girls navy blue floral printed dress"),
    ("Fabindia Green Tie & Dye Ghicha Striped Saree", "Sarees", {"pattern": "striped"},
     "green tie dye ghicha striped saree"),
    ("Fabindia Olive Green Hand Printed Kota Dupatta", "Dupatta", {"pattern": "printed"},
     "olive green hand printed kota dupatta"),
    ("FNF Multi Coloured Printed Sari", "Sarees", {"pattern": "printed"}, "multi printed saree"),
    ("Biba Women White Embroidered Churidar Kurta with Dupatta", "Kurta Sets",
     {"pattern": "embroidered"}, "women white embroidered churidar kurta dupatta"),
    ("W Women V Neck Solid Short Sleeve White Kurta", "Kurtas",
     {"pattern": "solid", "sleeve-length": "short-sleeve", "neckline": "v-neck"},
     "women v-neck solid short sleeve white kurta"),
    ("W Women Square Neck Short Sleeve Purple Tunic", "Tunics",
     {"sleeve-length": "short-sleeve", "neckline": "square-neck"},
     "women square neck short sleeve purple tunic"),
    ("Basics Men Blue Slim Fit Checked Shirt", "Shirts", {"pattern": "checked", "fit": "slim"},
     "men blue slim fit checked shirt"),
    ("Basics Men White Printed Fashion Brief", "Briefs", {"pattern": "printed"},
     "men white printed fashion briefs"),
    ("Arrow New York Men Grey Striped Slim Fit Shirt", "Shirts",
     {"pattern": "striped", "fit": "slim"}, "men grey striped slim fit shirt"),
    ("Arrow Sport Men Red Check Shirt", "Shirts", {"pattern": "checked"}, "men red checked shirt"),
    ("Arrow Women Zebra Grey Top", "Tops", {"pattern": "animal-print"}, "women zebra grey top"),
    ("Spykar Men Skinny Low Waist Tight Fit Blue Jeans", "Jeans",
     {"fit": "skinny", "rise": "low-rise"}, "men skinny low waist tight fit blue jeans"),
    ("John Players Men Navy Regular Fit Jeans", "Jeans", {"fit": "regular"},
     "men navy regular fit jeans"),
    ("Jockey Women Purple Racerback Tank Top", "Tops", {"sleeve-length": "sleeveless"},
     "women purple racerback tank top"),
    ("Jockey Women Red Relaxed Lounge Pants", "Lounge Pants", {"fit": "relaxed"},
     "women red relaxed lounge trousers"),
    ("Hanes Men Sleeveless Crew Red Innerwear T-shirt", "Innerwear Vests",
     {"sleeve-length": "sleeveless", "neckline": "crew-neck"},
     "men sleeveless crew red innerwear t-shirt"),
    ("Superman Men's Job Round Neck White T-shirt", "Tshirts", {"neckline": "crew-neck"},
     "men job round neck white t-shirt"),
    ("Proline Men White & Maroon Colourblocked Beanie", "Caps", {"pattern": "colourblock"},
     "men white maroon colourblocked beanie"),
    ("Proline Men Cream-Coloured T-shirt with Printed Detail", "Tshirts", {"pattern": "printed"},
     "men cream t-shirt printed detail"),
    ("Reid & Taylor Men Maroon Dotted Tie", "Ties", {"pattern": "polka-dots"},
     "men maroon dotted tie"),
    ("Park Avenue Blue Paisley Pattern Tie", "Ties", {"pattern": "paisley"},
     "blue paisley pattern tie"),
    ("Lino Perros Women Polka Black Handbag", "Handbags", {"pattern": "polka-dots"},
     "women polka dot black handbag"),
    ("Baggit Women Bonkers Baby Pink Wallet", "Wallets", {}, "women bonkers baby pink wallet"),
    ("Baggit Women Beige Selection Camo Sling Bag", "Handbags", {"pattern": "camouflage"},
     "women beige selection camo sling bag"),
    ("CASIO Baby-G Women Blue Analogue & Digital Watch BX005", "Watches", {},
     "women blue analog digital watch"),
    ("Fossil Men Grey Dial Watch FS4705", "Watches", {}, "men grey dial watch"),
    ("Titan Women Raga Mother Of Pearl Dial Watch", "Watches", {},
     "women raga mother pearl dial watch"),
    ("Heart 2 Heart Women Turquoise Blue Briefs H2H-6-2011", "Briefs", {},
     "women turquoise blue briefs"),
    ("Pink Floyd Men's Black T-shirt", "Tshirts", {}, "men black t-shirt"),
    ("Black Coffee Men White Check Shirt", "Shirts", {"pattern": "checked"},
     "men white checked shirt"),
    ("Red Tape Men Casual Brown Sandals", "Sandals", {}, "men casual brown sandals"),
    ("Only Women Yellow Dotted Print Dress", "Dresses", {"pattern": "polka-dots"},
     "women yellow dotted printed dress"),
    ("Femella Women Animal Print One Shoulder Black & Brown Top", "Tops",
     {"pattern": "animal-print", "neckline": "one-shoulder"},
     "women animal printed one shoulder black brown top"),
    ("Madagascar3 Infant Boys Light Blue Shorts", "Shorts", {"age-group": "infant"},
     "infant boys light blue shorts"),
    ("Colour me Women Flowers Deo", "Deodorant", {}, "colour me women flowers deo"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "article", "said", "_query"), NAMES)
def test_mines_what_a_name_says(name, article, said, _query):
    assert names.mine("fpi", {"article_type": article, "display_name": name}) == said


@pytest.mark.parametrize(("name", "_article", "_said", "query"), NAMES)
def test_searches_without_brand_and_numbers(name, _article, _said, query):
    assert names.query(name) == query


def test_mines_the_columns_of_a_shop():
    row = {
        "article_type": "Kurtas", "display_name": "Shree Women Printed Red Kurta",
        "gender": "Women", "season": "Fall", "usage": "Ethnic", "base_colour": "Red",
    }  # fmt: skip

    assert names.mine("fpi", row) == {
        "gender": "women",
        "age-group": "adult",
        "season": "autumn",
        "occasion": "ethnic",
        "pattern": "printed",
    }


def test_mines_nothing_where_no_garment_is():
    row = {"article_type": "Lipstick", "display_name": "Striped Lipstick", "gender": "Women"}

    assert names.mine("fpi", row) == {}


def test_mines_what_a_contributor_s_choice_denies():
    assert names.mine("clothing", {"label": "Longsleeve", "kids": True}) == {
        "age-group": "child",
        "sleeve-length": "long-sleeve",
    }
    assert names.mine("clothing", {"label": "Dress", "kids": False}) == {"age-group": "adult"}
    assert names.mine("clothing", {"label": "Polo", "kids": False})["neckline"] == "polo-collar"


def test_mines_what_an_outfit_s_label_says():
    assert names.mine("ccp", {"label": "hoodie"}) == {"neckline": "hooded"}
    assert names.mine("ccp", {"label": "jeans"}) == {}


def test_refuses_a_label_nobody_reviewed():
    with pytest.raises(taxonomy.UnknownLabel):
        names.mine("fpi", {"article_type": "Spacesuits", "display_name": "Striped Spacesuit"})


@given(st.sampled_from(names.brands()), st.sampled_from(["Tshirts", "Shirts", "Dresses"]))
def test_never_takes_a_brand_for_an_attribute(brand, article):
    for name in (
        f"{brand} Men Blue",
        string.capwords(f"{brand} women red"),
        f"{brand.upper()} Top",
    ):
        said = names.mine("fpi", {"article_type": article, "display_name": name})

        assert set(said) <= {"age-group"}, name
        assert names.query(name) in ("men blue", "women red", "top"), name


@given(st.text(max_size=60))
def test_reads_any_text(text):
    words = names.query(text)

    assert words == names.query(text).lower().strip()
    assert set(names.mine("fpi", {"article_type": "Tshirts", "display_name": text})) <= {
        key for key, _ in taxonomy.load().attribute_order
    } | {attribute.key for attribute in taxonomy.load().attributes}


def test_describes_in_both_languages():
    attributes = {"gender": "women", "age-group": "adult", "pattern": "striped",
                  "sleeve-length": "long-sleeve"}  # fmt: skip

    assert names.describe("t-shirt", "red", attributes, "en") == (
        "women red striped long sleeve t-shirt"
    )
    assert names.describe("t-shirt", "red", attributes, "tr") == (
        "kadın kırmızı çizgili uzun kollu tişört"
    )
    assert names.describe("dress", "navy-blue", {"age-group": "child"}, "tr") == (
        "çocuk lacivert elbise"
    )
    assert names.describe("jeans", "", {}, "en") == "jeans"


def test_describes_with_any_synonym():
    choose = random.Random(1)
    texts = {names.describe("trousers", "grey", {}, "en", choose=choose) for _ in range(99)}

    assert {"grey trousers", "gray pants"} <= texts


def test_describes_every_category_colour_and_value():
    known = taxonomy.load()
    colours = {c.name for c in known.colours} | {f.name for f in known.colour_families}

    for language in ("en", "tr"):
        for category in known.categories:
            assert names.describe(category.name, "", {}, language)
        for colour in colours:
            assert len(names.describe("dress", colour, {}, language).split()) > 1
        for attribute in known.attributes:
            for value in attribute.values:
                assert names.describe("dress", "", {attribute.key: value.name}, language)


def test_names_the_colour_as_finely_as_it_can():
    assert names.colour_of({"base_colour": "Navy Blue"}) == "navy-blue"
    assert names.colour_of({"base_colour": "Burgundy"}) == "red"
    assert names.colour_of({"base_colour": "NA"}) == ""
    assert names.colour_of({}) == ""
