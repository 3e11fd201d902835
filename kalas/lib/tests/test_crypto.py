import pytest

from kalas.lib import crypto

TEXT = "whsec_dGhpcyBpcyBhIHNlY3JldA=="


def test_opens_what_it_sealed():
    sealed = crypto.seal(TEXT, context="row:1")

    assert crypto.unseal(memoryview(sealed), context="row:1") == TEXT
    assert TEXT.encode() not in sealed


def test_seals_the_same_text_differently_each_time():
    assert crypto.seal(TEXT, context="row:1") != crypto.seal(TEXT, context="row:1")


def test_does_not_open_what_was_sealed_for_another_row():
    with pytest.raises(crypto.Unreadable):
        crypto.unseal(crypto.seal(TEXT, context="row:1"), context="row:2")


def test_opens_with_an_older_key_and_seals_with_the_newer(settings):
    settings.ENCRYPTION_KEYS = ["old"]
    sealed = crypto.seal(TEXT, context="row:1")
    settings.ENCRYPTION_KEYS = ["new", "old"]

    assert crypto.unseal(sealed, context="row:1") == TEXT
    again = crypto.seal(TEXT, context="row:1")
    settings.ENCRYPTION_KEYS = ["old"]
    with pytest.raises(crypto.Unreadable):
        crypto.unseal(again, context="row:1")


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x02" + bytes(40), b"\x01" + bytes(40)])
def test_says_what_it_cannot_read(damage):
    with pytest.raises(crypto.Unreadable):
        crypto.unseal(damage, context="row:1")


def test_notices_one_changed_bit():
    sealed = bytearray(crypto.seal(TEXT, context="row:1"))
    sealed[-1] ^= 1

    with pytest.raises(crypto.Unreadable):
        crypto.unseal(bytes(sealed), context="row:1")
