"""What a store's answers mean, and what of them is never repeated."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from integrations.stores.failures import StoreFailed
from integrations.woocommerce import answers
from integrations.woocommerce.client import Client
from kalas.lib import safe_http
from kalas.lib.safe_http import Answer


@pytest.mark.parametrize("style", ["query", "oauth"])
def test_a_store_that_moved_does_not_give_the_keys_away(monkeypatch, style):
    """It repeats the whole address, and the keys are in it."""

    def move(*, url, **_options):
        return Answer(301, (("Location", url.replace("//", "//www.")),), b"", False, url)

    monkeypatch.setattr(safe_http, "send", move)
    client = Client(
        url="https://shop.example",
        credentials={"key": "ck_abc", "secret": "cs_def", "style": style},
    )
    monkeypatch.setattr(client, "_list_styles", lambda: [style])

    with pytest.raises(StoreFailed) as caught:
        client.get("products", per_page=1)

    assert caught.value.about == "https://www.shop.example"


@pytest.mark.parametrize(
    "about",
    [
        "https://a.example/?consumer_key=ck_12ab&consumer_secret=cs_34cd",
        "The key ck_12ab and cs_34cd are wrong",
        "?oauth_signature=12ab%3D&oauth_nonce=34cd",
        "The token shpat_12ab34cd is wrong",
        "next=%3Fconsumer_secret%3Dcs_34cd12ab",
    ],
)
def test_no_failure_repeats_a_secret(about):
    error = StoreFailed("refused", about=about)

    assert "12ab" not in error.about
    assert "34cd" not in error.about


def test_a_redirect_may_pass():
    answer = Answer(302, (("Location", "https://shop.example/maintenance?x=1"),), b"", False, "")

    error = answers.explain(answer, None)

    assert (error.code, error.is_passing, error.is_breaking) == ("redirected", True, False)
    assert error.about == "https://shop.example/maintenance"


def test_an_owner_without_rights_is_not_a_lost_header():
    refusal = {"code": "woocommerce_rest_cannot_view", "message": "Sorry."}

    unheard = answers.explain(Answer(401, (), b"", False, ""), refusal)
    denied = answers.explain(Answer(403, (), b"", False, ""), refusal)

    assert (unheard.code, denied.code) == ("key-unheard", "owner-without-rights")


def test_waits_as_long_as_a_date_says():
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)

    error = answers.explain(Answer(429, (("Retry-After", later),), b"", False, ""), None)

    assert timedelta(minutes=9) < error.retry_after <= timedelta(minutes=10)


@pytest.mark.parametrize("pause", ["Thu, 01 Jan 1970 00:00:00 GMT", "soon", "-5", ""])
def test_waits_for_no_date_that_is_none(pause):
    error = answers.explain(Answer(429, (("Retry-After", pause),), b"", False, ""), None)

    assert error.retry_after == timedelta(0)


@pytest.mark.parametrize(
    "before",
    [
        b"\xef\xbb\xbf",
        b"<br />\n<b>Warning</b>: Undefined key [0] in <b>/x.php</b> on line <b>3</b><br />\n",
        b"PHP Deprecated: Something {old} in /x.php on line 3\n",
    ],
)
def test_reads_on_behind_what_a_broken_plug_in_prints(before):
    answer = Answer(200, (), before + b'{"id": 7}', False, "")

    assert answers.parse(answer) == {"id": 7}


def test_a_page_is_no_data():
    page = b'<!doctype html><html><script>\n{"id": 7}\n</script></html>'

    with pytest.raises(StoreFailed) as caught:
        answers.parse(Answer(200, (), page, False, ""))

    assert caught.value.code == "not-json"
