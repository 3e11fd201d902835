"""A Shopify store behind the core's contract (`integrations.stores.contract`).

A write takes several requests, so the marker goes in twice: first as begun, at last as written.
Every one of them adds, or sets what is still as it was read (`compareDigest`).
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from integrations.shopify import queries
from integrations.shopify.client import Client, Renew, Values
from integrations.shopify.messages import SCOPES
from integrations.shopify.products import (
    LIST_TYPE,
    MARKER_KEY,
    NAMESPACE,
    find_digest,
    make_id,
    read_note,
    read_number,
    read_product,
)
from integrations.stores.changes import find_missing, fold
from integrations.stores.contract import (
    Applied,
    BeforeWrite,
    Change,
    Page,
    Plan,
    RemoteProduct,
    Shop,
    Terms,
    Webhook,
)
from integrations.stores.failures import StoreFailed

TOPICS = ("PRODUCTS_CREATE", "PRODUCTS_UPDATE", "PRODUCTS_DELETE", "APP_UNINSTALLED")
BEGUN = "-begun"
MOST_ROUNDS = 4
MOST_METAFIELDS = 24
PROBE_TAG = "kalas-test"


class Connection:
    def __init__(self, *, url: str, credentials: Values, terms: Terms, renew: Renew) -> None:
        self._client = Client(url=url, credentials=credentials, renew=renew)
        self._terms = terms

    def check(self) -> Shop:
        shop = self._client.run(queries.SHOP)["shop"]
        scopes = self._client.scopes
        given = scopes | {each.replace("write_", "read_") for each in scopes}
        missing = [each for each in SCOPES if each not in given]
        if scopes and missing:
            raise StoreFailed("scopes-missing", about=", ".join(missing))
        self._probe()
        return Shop(name=str(shop["name"])[:120], currency=str(shop["currencyCode"])[:3])

    def fetch_product(self, product_id: str) -> RemoteProduct | None:
        raw = self._fetch(product_id)
        return read_product(raw) if raw is not None else None

    def list_products(self, *, cursor: str = "", modified_after: datetime | None = None) -> Page:
        query = None
        if modified_after is not None:
            after = modified_after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            query = f"updated_at:>'{after}'"
        data = self._client.run(queries.PRODUCTS, after=cursor or None, query=query)
        found = data["products"]
        pages = found["pageInfo"]
        return Page(
            products=tuple(read_product(each) for each in found["nodes"]),
            cursor=str(pages["endCursor"]) if pages["hasNextPage"] else "",
            total=(data.get("productsCount") or {}).get("count"),
        )

    def list_ids(self) -> set[str]:
        ids: set[str] = set()
        after: str | None = None
        while True:
            found = self._client.run(queries.PRODUCT_IDS, after=after)["products"]
            ids |= {read_number(str(each["id"])) for each in found["nodes"]}
            after = found["pageInfo"]["endCursor"]
            if not found["pageInfo"]["hasNextPage"]:
                return ids

    def list_categories(self) -> Sequence[str]:
        """Shopify's own taxonomy is too long to list: its names are searched for one by one."""
        return ()

    def apply(
        self,
        product_id: str,
        plan: Plan,
        *,
        marker: str,
        create_categories: bool,
        before_write: BeforeWrite,
    ) -> Applied:
        unknown: set[str] = set()
        raw = self._fetch_there(product_id)
        missing: list[str] = []
        for _round in range(MOST_ROUNDS):
            before = read_product(raw)
            change = plan(before)
            category, spelled = self._find_category(change, unknown)
            change = _spell_categories(change, spelled)
            if not change:
                if before.marker == f"{marker}{BEGUN}":
                    raw = self._note(raw, marker, change)
                    continue
                return Applied(before, before, change)
            before_write(before, change)
            try:
                raw = self._note(raw, f"{marker}{BEGUN}", change)
                self._write(raw, change, category)
                raw = self._set_metafields(self._fetch_there(product_id), change, marker)
            except _ReadAnew:
                raw = self._fetch_there(product_id)
                continue
            after = read_product(raw)
            missing = find_missing(change, after)
            if not missing:
                return Applied(before, after, change)
        if missing:
            raise StoreFailed("not-kept", about=", ".join(missing))
        raise StoreFailed("changed-meanwhile")

    def list_webhooks(self, *, url: str) -> list[Webhook]:
        rows = self._client.run(queries.WEBHOOKS)["webhookSubscriptions"]["nodes"]
        return [
            Webhook(str(each["id"]), str(each["topic"])) for each in rows if each.get("uri") == url
        ]

    def ensure_webhooks(self, *, url: str) -> list[Webhook]:
        kept: dict[str, Webhook] = {}
        for webhook in self.list_webhooks(url=url):
            if webhook.topic in TOPICS and webhook.topic not in kept:
                kept[webhook.topic] = webhook
            else:
                self._delete_webhook(webhook)
        for topic in TOPICS:
            if topic not in kept:
                done = self._client.change(
                    queries.WEBHOOK_CREATE, "webhookSubscriptionCreate", topic=topic, uri=url
                )
                kept[topic] = Webhook(str(done["webhookSubscription"]["id"]), topic)
        return [kept[topic] for topic in TOPICS]

    def remove_webhooks(self, *, url: str) -> None:
        for webhook in self.list_webhooks(url=url):
            self._delete_webhook(webhook)

    def _delete_webhook(self, webhook: Webhook) -> None:
        self._client.change(queries.WEBHOOK_DELETE, "webhookSubscriptionDelete", id=webhook.id)

    def _fetch(self, product_id: str) -> dict[str, Any] | None:
        raw: dict[str, Any] | None = self._client.run(queries.PRODUCT, id=make_id(product_id))[
            "product"
        ]
        return raw

    def _fetch_there(self, product_id: str) -> dict[str, Any]:
        raw = self._fetch(product_id)
        if raw is None:
            raise StoreFailed("not-there")
        return raw

    def _probe(self) -> None:
        """A tag on a product, added and taken away again; nothing where there is no product."""
        nodes = self._client.run(queries.PRODUCT_IDS, after=None)["products"]["nodes"]
        if nodes:
            target = {"id": nodes[0]["id"], "tags": [PROBE_TAG]}
            self._client.change(queries.TAGS_ADD, "tagsAdd", **target)
            self._client.change(queries.TAGS_REMOVE, "tagsRemove", **target)

    def _write(self, raw: dict[str, Any], change: Change, category: str | None) -> None:
        product = raw["id"]
        if change.add_tags:
            self._client.change(queries.TAGS_ADD, "tagsAdd", id=product, tags=list(change.add_tags))
        if change.remove_tags:
            self._client.change(
                queries.TAGS_REMOVE, "tagsRemove", id=product, tags=list(change.remove_tags)
            )
        if change.add_categories or change.remove_categories:
            self._client.change(
                queries.PRODUCT_UPDATE,
                "productUpdate",
                product={"id": product, "category": category},
            )
        if change.alts:
            files = [{"id": key, "alt": text} for key, text in change.alts.items()]
            self._client.change(queries.FILE_UPDATE, "fileUpdate", files=files)
        gone = [each.key for each in change.attributes if not each.options]
        if gone:
            self._client.change(
                queries.METAFIELDS_DELETE,
                "metafieldsDelete",
                metafields=[
                    {"ownerId": product, "namespace": NAMESPACE, "key": key} for key in gone
                ],
            )

    def _note(self, raw: dict[str, Any], marker: str, change: Change) -> dict[str, Any]:
        nothing = replace(change, attributes=())
        return self._set_metafields(raw, nothing, marker)

    def _set_metafields(self, raw: dict[str, Any], change: Change, marker: str) -> dict[str, Any]:
        """All of them or none; raises _ReadAnew where one is no longer as it was read."""
        names = dict(read_note(raw).get("names", {}))
        names |= {each.key: each.name for each in change.attributes}
        wanted = [
            (each.key, LIST_TYPE, json.dumps(list(each.options), ensure_ascii=False))
            for each in change.attributes
            if each.options
        ][:MOST_METAFIELDS]
        note = json.dumps({"marker": marker, "names": names}, ensure_ascii=False)
        inputs = [
            {
                "ownerId": raw["id"],
                "namespace": NAMESPACE,
                "key": key,
                "type": kind,
                "value": value,
                "compareDigest": find_digest(raw, key),
            }
            for key, kind, value in (*wanted, (MARKER_KEY, "json", note))
        ]
        try:
            self._client.change(queries.METAFIELDS_SET, "metafieldsSet", metafields=inputs)
        except StoreFailed as error:
            if "INVALID_COMPARE_DIGEST" in error.about or "STALE_OBJECT" in error.about:
                raise _ReadAnew from error
            raise
        return self._fetch_there(read_number(str(raw["id"])))

    def _find_category(self, change: Change, unknown: set[str]) -> tuple[str | None, str]:
        """The id in Shopify's taxonomy and its own spelling; what is not there is asked once."""
        for name in change.add_categories:
            if fold(name) in unknown:
                continue
            known = self._terms.find("categories", name)
            if known:
                return known, self._terms.find("category-names", name)
            found = self._client.run(queries.CATEGORIES, search=name)
            for each in found["taxonomy"]["categories"]["nodes"]:
                spelled = str(each["name"])
                if _singular(spelled) == _singular(name):
                    self._terms.keep("categories", name, str(each["id"]))
                    self._terms.keep("category-names", name, spelled)
                    self._terms.keep("categories", spelled, str(each["id"]))
                    self._terms.keep("category-names", spelled, spelled)
                    return str(each["id"]), spelled
            unknown.add(fold(name))
        return None, ""


def _singular(name: str) -> str:
    return fold(name).removesuffix("s").removesuffix("e")


class _ReadAnew(Exception):
    """Somebody changed what was about to be written."""


def _spell_categories(change: Change, spelled: str) -> Change:
    """With the taxonomy's own name of the category, or without one where it has none."""
    if not change.add_categories:
        return change
    given = (spelled,) if spelled else ()
    return replace(
        change,
        add_categories=given,
        remove_categories=change.remove_categories if given else (),
    )
