"""The GraphQL API of the simulated store: one method for each operation of `queries`."""

import hashlib
import re
import time
from datetime import datetime

from integrations.shopify.simulator.state import Row
from integrations.shopify.simulator.telling import Telling

TAXONOMY = ("T-Shirts", "Dresses", "Hoodies", "Shirts", "Skirts", "Trousers")
_OPERATION = re.compile(r"\s*(?:query|mutation)\s+(\w+)")


class Simulator(Telling):
    """The store's state, and what goes wrong with it."""

    def answer(self, query: str, variables: Row) -> Row:
        with self.lock:
            operation = read_operation(query)
            self.operations.append(operation)
            if not self._charge():
                return self.throttle()
            data = getattr(self, f"_do_{_snake(operation)}")(variables)
            return {"data": data, "extensions": self._report()}

    def _charge(self) -> bool:
        now = time.monotonic()
        restored = (now - self._spent_at) * self.restore_rate
        self._left, self._spent_at = min(self.budget, self._left + restored), now
        if self._left < self.cost:
            return False
        self._left -= self.cost
        self.lowest = min(self.lowest, self._left)
        return True

    def throttle(self) -> Row:
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        return {"errors": [error], "extensions": self._report()}

    def _report(self) -> Row:
        status = {
            "maximumAvailable": self.budget,
            "currentlyAvailable": self._left,
            "restoreRate": self.restore_rate,
        }
        return {"cost": {"requestedQueryCost": self.cost, "throttleStatus": status}}

    def _do_shop(self, _variables: Row) -> Row:
        return {"shop": {"name": "Simulated Shopify", "currencyCode": "EUR"}}

    def _do_product(self, variables: Row) -> Row:
        found = self.products.get(variables["id"])
        return {"product": self._show(found) if found else None}

    def _do_products(self, variables: Row) -> Row:
        rows = sorted(self.products.values(), key=lambda row: int(row["id"].rpartition("/")[2]))
        if after := re.search(r"updated_at:>'([^']+)'", variables.get("query") or ""):
            since = datetime.fromisoformat(after.group(1))
            rows = [row for row in rows if datetime.fromisoformat(row["updatedAt"]) > since]
        start = int(variables.get("after") or 0)
        page = rows[start : start + 25]
        end = start + len(page)
        info = {"hasNextPage": end < len(rows), "endCursor": str(end)}
        nodes = [self._show(row) for row in page]
        return {
            "products": {"nodes": nodes, "pageInfo": info},
            "productsCount": {"count": len(rows)},
        }

    def _do_product_ids(self, _variables: Row) -> Row:
        nodes = [{"id": gid} for gid in self.products]
        return {"products": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": ""}}}

    def _do_categories(self, variables: Row) -> Row:
        word = variables["search"].casefold().rstrip("s")
        nodes = [
            {"id": f"gid://shopify/TaxonomyCategory/{n}", "name": name, "isLeaf": True}
            for n, name in enumerate(TAXONOMY)
            if word[:4] in name.casefold()
        ]
        return {"taxonomy": {"categories": {"nodes": nodes}}}

    def _do_tags_add(self, variables: Row) -> Row:
        product = self.products[variables["id"]]
        have = {tag.casefold() for tag in product["tags"]}
        product["tags"] = sorted(
            [*product["tags"], *(tag for tag in variables["tags"] if tag.casefold() not in have)]
        )
        self._touch(product["id"], "products/update")
        return {"tagsAdd": {"userErrors": []}}

    def _do_tags_remove(self, variables: Row) -> Row:
        product = self.products[variables["id"]]
        gone = {tag.casefold() for tag in variables["tags"]}
        product["tags"] = [tag for tag in product["tags"] if tag.casefold() not in gone]
        self._touch(product["id"], "products/update")
        return {"tagsRemove": {"userErrors": []}}

    def _do_product_update(self, variables: Row) -> Row:
        wish = variables["product"]
        product = self.products[wish["id"]]
        category = wish.get("category")
        number = int(category.rpartition("/")[2]) if category else None
        product["category"] = (
            {"id": category, "name": TAXONOMY[number]} if number is not None else None
        )
        self._touch(product["id"], "products/update")
        return {"productUpdate": {"product": {"id": product["id"]}, "userErrors": []}}

    def _do_file_update(self, variables: Row) -> Row:
        texts = {each["id"]: each["alt"] for each in variables["files"]}
        for product in self.products.values():
            for media in product["media"]:
                if media["id"] in texts:
                    media["alt"] = texts[media["id"]]
                    self._touch(product["id"], "products/update")
        return {"fileUpdate": {"userErrors": []}}

    def _do_metafields_set(self, variables: Row) -> Row:
        """All or nothing; a digest that is not that of the value there refuses all."""
        self.before_metafields()
        inputs = variables["metafields"]
        if len(inputs) > 25:
            error = {"message": "Too many metafields", "code": "LESS_THAN_OR_EQUAL_TO"}
            return {"metafieldsSet": {"userErrors": [error]}}
        for each in inputs:
            there = self.products[each["ownerId"]]["metafields"].get(each["key"])
            digest = there["compareDigest"] if there else None
            if "compareDigest" in each and each["compareDigest"] != digest:
                error = {"message": "Stale", "code": "INVALID_COMPARE_DIGEST"}
                return {"metafieldsSet": {"userErrors": [error]}}
        for each in inputs:
            product = self.products[each["ownerId"]]
            value = each["value"]
            product["metafields"][each["key"]] = {
                "type": each["type"],
                "value": value,
                "compareDigest": hashlib.sha256(value.encode()).hexdigest(),
            }
            self._touch(product["id"], "products/update")
        return {"metafieldsSet": {"userErrors": []}}

    def _do_metafields_delete(self, variables: Row) -> Row:
        for each in variables["metafields"]:
            self.products[each["ownerId"]]["metafields"].pop(each["key"], None)
        return {"metafieldsDelete": {"userErrors": []}}

    def _show(self, product: Row) -> Row:
        metafields = [{"key": key, **each} for key, each in product["metafields"].items()]
        return {
            **product,
            "media": {"nodes": list(product["media"])},
            "metafields": {"nodes": metafields},
            "priceRangeV2": {"minVariantPrice": {"amount": "10.0", "currencyCode": "EUR"}},
        }


def read_operation(query: str) -> str:
    match = _OPERATION.match(query)
    return match.group(1) if match else ""


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
