"""What people do in the simulated store."""

import html
import secrets
from typing import Any

from integrations.woocommerce.simulator.state import UNCATEGORIZED, Key, Row
from integrations.woocommerce.simulator.telling import Telling
from integrations.woocommerce.simulator.terms import slug_of


class People(Telling):
    def make_key(self, permissions: str = "read_write") -> Key:
        made = Key(f"ck_{secrets.token_hex(20)}", f"cs_{secrets.token_hex(20)}", permissions)
        with self.lock:
            self.keys[made.key] = made
        return made

    def add_image(self, data: bytes, name: str = "photo.jpg") -> Row:
        with self.lock:
            number = next(self._ids)
            path = f"/wp-content/uploads/2026/11/{number}-{name}"
            self.images[path] = data
            return {"id": number, "src": f"{self.url}{path}", "name": name, "alt": ""}

    def add_product(self, name: str, *photos: bytes, **fields: Any) -> int:
        with self.lock:
            images = [self.add_image(photo, f"{number}.jpg") for number, photo in enumerate(photos)]
            number = next(self._ids)
            product = {
                "id": number,
                "name": name,
                "slug": slug_of(name),
                "type": "simple",
                "status": "publish",
                "description": "",
                "short_description": "",
                "price": "10",
                "stock_status": "instock",
                "parent_id": 0,
                "categories": [],
                "tags": [],
                "attributes": [],
                "meta_data": [],
                "images": images,
                **fields,
            }
            self.products[number] = product
            if not product["categories"]:
                product["categories"] = [UNCATEGORIZED]
            self._touch(product)
            self._tell("product.created", product)
            return number

    def edit(self, number: int, **fields: Any) -> None:
        """Lists of terms as names: {"tags": ["summer"]}."""
        with self.lock:
            product = self.products[number]
            for name, value in fields.items():
                known = name in ("tags", "categories")
                product[name] = (
                    [self._find_or_make(name, each) for each in value] if known else value
                )
            self._touch(product)
            self._tell("product.updated", product)

    def trash(self, number: int) -> None:
        with self.lock:
            self.products[number]["status"] = "trash"
            self._tell("product.deleted", {"id": number})

    def restore(self, number: int) -> None:
        with self.lock:
            self.products[number]["status"] = "publish"
            self._touch(self.products[number])
            self._tell("product.restored", self.products[number])

    def delete_for_good(self, number: int) -> None:
        """Tells nobody."""
        with self.lock:
            del self.products[number]

    def sell(self, number: int) -> None:
        """An order lowers the stock, which is an update like any other."""
        with self.lock:
            self._touch(self.products[number])
            self._tell("product.updated", self.products[number])

    def names_of(self, number: int, kind: str) -> list[str]:
        """Tags or categories, as a person reads them."""
        with self.lock:
            terms = self.terms[kind]
            return [html.unescape(terms[each]["name"]) for each in self.products[number][kind]]

    def attributes_of(self, number: int) -> dict[str, list[str]]:
        with self.lock:
            shown = [self._show_attribute(each) for each in self.products[number]["attributes"]]
            return {each["name"]: each["options"] for each in shown}

    def alts_of(self, number: int) -> list[str]:
        with self.lock:
            return [image["alt"] for image in self.products[number]["images"]]
