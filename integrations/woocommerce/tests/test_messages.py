"""What two real stores sent, byte for byte (messages/README.md)."""

import json
from pathlib import Path

import pytest

from integrations.stores.contract import BadSignature
from integrations.woocommerce import messages
from integrations.woocommerce.products import read_product

FOLDER = Path(__file__).parent / "messages"
RECORDED = sorted(FOLDER.glob("*/*.json"))
SIGNED = [path for path in RECORDED if json.loads(path.read_text())["secret"]]


def load(path):
    recorded = json.loads(path.read_text())
    headers = {name.lower(): value for name, value in recorded["headers"].items()}
    return recorded["body"].encode(), headers, recorded["secret"]


def read(path):
    body, headers, secret = load(path)
    return messages.read_hint(headers=headers, body=body, secret=secret)


def test_there_are_messages():
    assert len(SIGNED) > 20


@pytest.mark.parametrize("path", SIGNED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_real_signatures_are_right(path):
    hint = read(path)

    assert hint.identity
    assert hint.kind in ("changed", "deleted", "ignored", "no-rights")


@pytest.mark.parametrize("path", SIGNED[:4], ids=lambda path: path.stem)
def test_refuses_what_is_not_signed_right(path):
    body, headers, secret = load(path)
    for wrong in (
        (body + b" ", headers, secret),
        (body, headers, secret + "x"),
        (body, {**headers, "x-wc-webhook-signature": ""}, secret),
        (body, {**headers, "x-wc-webhook-signature": "ü"}, secret),
        (body, {k: v for k, v in headers.items() if "signature" not in k}, secret),
        (body, headers, ""),
    ):
        with pytest.raises(BadSignature):
            messages.read_hint(body=wrong[0], headers=wrong[1], secret=wrong[2])


@pytest.mark.parametrize("version", ["7.9.0", "11.0.1"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("product.created", "changed"),
        ("product.created-draft", "changed"),
        ("product.created-variation", "changed"),
        ("product.updated-by-order", "changed"),
        ("product.restored", "changed"),
        ("product.deleted", "deleted"),
        ("product.created-gone-before-delivery", "ignored"),
        ("product.updated-owner-without-rights", "no-rights"),
        ("action-topic", "changed"),
    ],
)
def test_knows_what_a_message_is_about(version, name, kind):
    assert read(FOLDER / version / f"{name}.json").kind == kind


@pytest.mark.parametrize("version", ["7.9.0", "11.0.1"])
def test_a_variation_means_its_parent(version):
    path = FOLDER / version / "product.created-variation.json"
    body, _headers, _secret = load(path)

    assert read(path).product_id == str(json.loads(body)["parent_id"])


@pytest.mark.parametrize("version", ["7.9.0", "11.0.1"])
def test_the_ping_is_known_by_its_form(version):
    body, headers, _secret = load(FOLDER / version / "ping.json")

    assert messages.is_ping(content_type=headers["content-type"], body=body)
    assert not messages.is_ping(content_type="application/json", body=body)
    assert not messages.is_ping(content_type=headers["content-type"], body=body + b"&id=3")


@pytest.mark.parametrize("version", ["7.9.0", "11.0.1"])
def test_reads_the_keys_that_a_store_hands_over(version):
    body, _headers, _secret = load(FOLDER / version / "wc-auth-callback.json")

    keys = messages.read_keys(body)

    assert keys is not None
    assert keys.key.startswith("ck_")
    assert keys.secret.startswith("cs_")
    assert keys.token
    assert keys.can_write


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"consumer_key": 1}', b"\xff"])
def test_other_keys_are_none(body):
    assert messages.read_keys(body) is None


@pytest.mark.parametrize("version", ["7.9.0", "11.0.1"])
def test_reads_real_products(version):
    body, _headers, _secret = load(FOLDER / version / "product.created.json")

    product = read_product(json.loads(body))

    assert product.title == "Hooked dress"
    assert product.categories == ("Dresses",)
    assert product.tags == ("floral",)
    assert product.price == "10"
    assert product.stock == "in-stock"
    assert product.is_public
    assert product.images[0].url.endswith(".jpg")


@pytest.mark.parametrize("version", ["7.9.0", "11.0.1"])
def test_a_draft_is_not_public(version):
    body, _headers, _secret = load(FOLDER / version / "product.created-draft.json")

    assert not read_product(json.loads(body)).is_public
