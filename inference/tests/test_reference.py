from inference import reference, taxonomy
from inference.tests.engines import ROOT


def test_the_page_is_what_the_data_says():
    page = ROOT / "docs" / "reference" / "taxonomy.md"

    assert page.read_text(encoding="utf-8") == reference.render(), "run manage.py document_taxonomy"


def test_lists_every_name():
    text = reference.render()
    names = taxonomy.load()

    for category in names.categories:
        assert f"| {category.name} | {category.names['en']} | {category.names['tr']} |" in text
    for attribute in names.attributes:
        for value in attribute.values:
            assert f"| {value.name} | {value.names['en']} | {value.names['tr']} |" in text
