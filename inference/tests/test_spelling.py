import pytest

from inference.spelling import normalise


@pytest.mark.parametrize(
    ("searched", "known"),
    [
        ("Tees for Ladies", "t-shirt women"),
        ("men’s checks shirts", "men checked shirt"),
        ("the new 501 jeans", "jeans"),
        ("pack of 3 socks", "socks"),
        ("3/4 sleeve tops", "3/4 sleeve top"),
        ("track pants", "track trousers"),
        ("Siyah TİŞÖRT", "siyah tişört"),
        ("501", ""),
    ],
)
def test_spells_a_search_as_the_names_that_were_learned(searched, known):
    assert normalise(searched) == known


@pytest.mark.parametrize(
    "text", ["polka dots dress", "track pant", "v neck tee shirt", "multi coloured kids caps"]
)
def test_what_is_spelled_well_stays(text):
    assert normalise(normalise(text)) == normalise(text)
