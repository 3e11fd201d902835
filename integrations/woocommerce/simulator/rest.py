"""The REST API of the simulated store."""

import re
from typing import Any

from integrations.woocommerce.simulator.keys import Keys
from integrations.woocommerce.simulator.paging import cut_page, pick_fields
from integrations.woocommerce.simulator.state import UNCATEGORIZED, Refused, Row


class Simulator(Keys):
    """The store. Every public method holds the lock."""

    def answer(self, method: str, path: str, params: dict[str, str], body: Any) -> tuple[Any, Row]:
        """Content and headers. Raises Refused."""
        with self.lock:
            parts = path.strip("/").split("/")
            if parts[0] == "products" and len(parts) > 1 and not parts[1].isdecimal():
                return self._answer_terms(method, parts[1:], params, body)
            if parts[0] == "products":
                return self._answer_products(method, parts[1:], params, body)
            if parts[0] == "webhooks":
                return self._answer_webhooks(method, parts[1:], params, body)
            if path.strip("/") == "data/currencies/current":
                return {"code": self.currency}, {}
        raise Refused(404, "rest_no_route", "No route was found matching the URL.")

    def _answer_products(
        self, method: str, parts: list[str], params: dict[str, str], body: Any
    ) -> tuple[Any, Row]:
        if not parts:
            if method != "GET":
                raise Refused(501, "not_simulated", "Products are made in Python here.")
            return self._list_products(params)
        number = int(parts[0])
        if number not in self.products:
            status = 404 if method == "GET" else 400
            raise Refused(status, "woocommerce_rest_product_invalid_id", "Invalid ID.")
        if method == "PUT":
            self._change(self.products[number], body)
        shown = self.show(self.products[number])
        return pick_fields(shown, params), {}

    def _list_products(self, params: dict[str, str]) -> tuple[Any, Row]:
        rows = [each for each in self.products.values() if each["status"] != "trash"]
        rows = [each for each in rows if each["type"] != "variation"]
        if after := params.get("modified_after"):
            rows = [each for each in rows if each["modified"] > after]
        rows.sort(key=lambda each: each["id"])
        page, headers = cut_page(rows, params)
        return [pick_fields(self.show(each), params) for each in page], headers

    def _change(self, product: Row, body: Row) -> None:
        """Lists are replaced; ids that are unknown are left out, and nobody says so."""
        for kind in ("tags", "categories"):
            if kind in body:
                ids = [int(each["id"]) for each in body[kind] if each.get("id")]
                product[kind] = [each for each in dict.fromkeys(ids) if each in self.terms[kind]]
        if not product["categories"]:
            product["categories"] = [UNCATEGORIZED]
        if "attributes" in body:
            product["attributes"] = [
                kept for each in body["attributes"] if (kept := self._take_attribute(each))
            ]
        if "images" in body:
            known = {image["id"]: image for image in product["images"]}
            product["images"] = [
                self._take_image(known[each["id"]], each)
                for each in body["images"]
                if each.get("id") in known
            ]
        for entry in body.get("meta_data", ()):
            product["meta_data"] = [m for m in product["meta_data"] if m["key"] != entry["key"]]
            product["meta_data"].append(
                {"id": next(self._ids), "key": entry["key"], "value": entry["value"]}
            )
        for name in ("name", "description", "status"):
            if name in body:
                product[name] = body[name]
        self._touch(product)
        self._tell("product.updated", product)

    def _take_image(self, image: Row, wish: Row) -> Row:
        """An empty text changes nothing; a blank one is trimmed to nothing."""
        if wish.get("alt"):
            return {**image, "alt": re.sub(r"\s+", " ", wish["alt"]).strip()}
        return image

    def _take_attribute(self, wish: Row) -> Row | None:
        options = [part.strip() for each in wish.get("options", ()) for part in each.split("|")]
        kept = {
            "visible": bool(wish.get("visible", False)),
            "variation": bool(wish.get("variation", False)),
            "position": int(wish.get("position", 0)),
        }
        if not wish.get("id"):
            return {"id": 0, "name": wish.get("name", ""), "options": options, **kept}
        if int(wish["id"]) not in self.terms["attributes"] or not options:
            return None
        ids = [self._find_or_make("values", each, parent=int(wish["id"])) for each in options]
        return {"id": int(wish["id"]), "options": ids, **kept}
