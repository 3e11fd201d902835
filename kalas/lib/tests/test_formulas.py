import pytest

from kalas.lib.formulas import escape_formula, unescape_formula


@pytest.mark.parametrize("text", ["=1+1", "+90 212", "-", "@home", "'=1", "''", "shirt", "'90s"])
def test_formulas_survive_the_round_trip(text):
    escaped = escape_formula(text)

    assert escaped[:1] not in "=+-@"
    assert unescape_formula(escaped) == text
