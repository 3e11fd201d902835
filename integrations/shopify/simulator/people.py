"""What people do in the simulated store."""

import json
from typing import Any

from integrations.shopify.simulator.state import Row, State


class People(State):
    def add_product(self, title: str, *photos: bytes, **fields: Any) -> int:
        with self.lock:
            number = next(self._ids)
            gid = f"gid://shopify/Product/{number}"
            self.products[gid] = {
                "id": gid,
                "title": title,
                "descriptionHtml": "",
                "onlineStoreUrl": f"{self.url}/products/{number}",
                "status": "ACTIVE",
                "tags": [],
                "category": None,
                "tracksInventory": False,
                "totalInventory": 0,
                "media": [self.add_image(photo) for photo in photos],
                "metafields": {},
                **fields,
            }
            self._touch(gid, "products/create")
            return number

    def add_image(self, data: bytes) -> Row:
        number = next(self._ids)
        path = f"/cdn/{number}.jpg"
        self.images[path] = data
        return {
            "id": f"gid://shopify/MediaImage/{number}",
            "alt": "",
            "mediaContentType": "IMAGE",
            "preview": {"image": {"url": f"{self.url}{path}"}},
        }

    def edit(self, number: int, **fields: Any) -> None:
        with self.lock:
            gid = f"gid://shopify/Product/{number}"
            self.products[gid].update(fields)
            self._touch(gid, "products/update")

    def set_metafield(self, number: int, key: str, *words: str) -> None:
        """As a merchant does on the product's page."""
        with self.lock:
            gid = f"gid://shopify/Product/{number}"
            self._store_metafield(self.products[gid], key, "list.single_line_text_field", words)
            self._touch(gid, "products/update")

    def delete(self, number: int) -> None:
        with self.lock:
            del self.products[f"gid://shopify/Product/{number}"]
            self.outbox.put(("products/delete", {"id": number}))

    def uninstall(self) -> None:
        with self.lock:
            self.tokens.clear()
            self.refresh_tokens.clear()
            self.outbox.put(("app/uninstalled", {"id": 1}))

    def get(self, number: int) -> Row:
        return self.products[f"gid://shopify/Product/{number}"]

    def words_of(self, number: int) -> dict[str, list[str]]:
        """The metafields that hold lists."""
        found = self.get(number)["metafields"]
        return {
            key: json.loads(each["value"])
            for key, each in found.items()
            if each["type"].startswith("list.")
        }
