"""Tags, categories, attributes and their values."""

import html
import re
from typing import Any

from integrations.woocommerce.simulator.paging import cut_page
from integrations.woocommerce.simulator.state import Refused, Row, State


class Terms(State):
    def remove_term(self, kind: str, number: int) -> None:
        with self.lock:
            del self.terms[kind][number]
            for product in self.products.values():
                if kind in product:
                    product[kind] = [each for each in product[kind] if each != number]

    def _answer_terms(
        self, method: str, parts: list[str], params: dict[str, str], body: Any
    ) -> tuple[Any, Row]:
        kind = parts[0]
        if kind not in ("tags", "categories", "attributes"):
            raise Refused(404, "rest_no_route", "No route was found matching the URL.")
        rows = self.terms[kind]
        if len(parts) > 1:
            number = int(parts[1])
            if number not in rows:
                raise Refused(404, "woocommerce_rest_term_invalid", "Resource does not exist.")
            found = rows[number]
            if method == "DELETE":
                if params.get("force") != "true":
                    raise Refused(501, "woocommerce_rest_trash_not_supported", "Use force.")
                self.remove_term(kind, number)
            return found, {}
        if method == "POST":
            return self._make_term(kind, body), {"status": 201}
        found_rows = list(rows.values())
        if wanted := params.get("search"):
            found_rows = [row for row in found_rows if wanted.lower() in row["name"].lower()]
        if kind == "attributes":
            return found_rows, {}
        return cut_page(found_rows, params)

    def _make_term(self, kind: str, body: Row) -> Row:
        name = str(body.get("name", "")).strip()
        parent = int(body.get("parent") or 0)
        if not name:
            raise Refused(400, "rest_missing_callback_param", "Missing parameter(s): name")
        same = self._find(kind, name, parent=parent)
        if kind == "attributes":
            slug = f"pa_{body.get('slug') or slug_of(name)}"
            taken = any(row["slug"] == slug for row in self.terms[kind].values())
            if len(slug.encode()) > 31:
                raise Refused(400, "woocommerce_rest_cannot_create", "Slug is too long.")
            if taken:
                raise Refused(400, "woocommerce_rest_cannot_create", f"Slug {slug} is in use.")
            number = next(self._ids)
            self.terms[kind][number] = {
                "id": number,
                "name": name,
                "slug": slug,
                "type": "select",
            }
            return self.terms[kind][number]
        if same is not None:
            message = "A term with the name provided already exists with this parent."
            raise Refused(400, "term_exists", message, resource_id=same)
        return self.terms[kind][self._find_or_make(kind, name, parent=parent)]

    def _find(self, kind: str, name: str, *, parent: int = 0) -> int | None:
        for number, row in self.terms[kind].items():
            is_same = html.unescape(row["name"]).lower() == html.unescape(name).lower()
            if is_same and row.get("parent", 0) == parent:
                return number
        return None

    def _find_or_make(self, kind: str, name: str, *, parent: int = 0) -> int:
        found = self._find(kind, name, parent=parent)
        if found is not None:
            return found
        number = next(self._ids)
        escaped = html.escape(name[:200], quote=False)
        self.terms[kind][number] = {
            "id": number,
            "name": escaped,
            "slug": slug_of(name),
            "parent": parent,
        }
        return number

    def _show_attribute(self, each: Row) -> Row:
        if not each["id"]:
            return {**each, "slug": each["name"]}
        attribute = self.terms["attributes"][each["id"]]
        values = [html.unescape(self.terms["values"][value]["name"]) for value in each["options"]]
        return {**each, "name": attribute["name"], "slug": attribute["slug"], "options": values}


def slug_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:28] or "term"
