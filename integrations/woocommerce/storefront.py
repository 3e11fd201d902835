"""The simulated store's own page: what its visitors see, and what its owner does there."""

import html
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl

from integrations.woocommerce.simulator import Simulator

STYLE = Path(__file__).with_suffix(".css").read_text()


class Storefront:
    """`photos` are what the owner can sell."""

    def __init__(self, store: Simulator, *, photos: Mapping[str, Path], kalas_url: str) -> None:
        self._store = store
        self._photos = photos
        self._kalas_url = kalas_url

    def serve(self, handler: BaseHTTPRequestHandler, method: str, path: str, data: bytes) -> bool:
        """False for an address that is not the page's."""
        if path != "/":
            return False
        if method == "POST":
            self._act(dict(parse_qsl(data.decode(errors="replace"))))
            handler.send_response(303)
            handler.send_header("Location", "/")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return True
        page = self.render().encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.send_header("Content-Length", str(len(page)))
        handler.end_headers()
        handler.wfile.write(page)
        return True

    def render(self) -> str:
        store = self._store
        with store.lock:
            numbers = [n for n, each in store.products.items() if each["status"] != "trash"]
            cards = "".join(self._render_card(number) for number in reversed(numbers))
        options = "".join(f"<option>{html.escape(name)}</option>" for name in self._photos)
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>A simulated store</title>'
            f'<meta http-equiv="refresh" content="4"><style>{STYLE}</style>'
            "<header><h1>A simulated WooCommerce store</h1>"
            "<p>What Kalas writes appears here by itself. "
            f'<a href="{html.escape(self._kalas_url)}">To Kalas</a></p>'
            '<form method="post"><input type="hidden" name="do" value="add">'
            '<label>Photo <select name="photo">'
            f"{options}</select></label>"
            '<label>Name <input name="name" value="New arrival" maxlength="80" required></label>'
            "<button>Add a product</button></form></header>"
            f"<main><ul>{cards}</ul></main></html>"
        )

    def _render_card(self, number: int) -> str:
        store, product = self._store, self._store.products[number]
        image = product["images"][0] if product["images"] else {"src": "", "alt": ""}
        tags = ", ".join(store.names_of(number, "tags"))
        rows = [
            ("Category", ", ".join(store.names_of(number, "categories"))),
            ("Tags", tags),
            *((name, ", ".join(words)) for name, words in store.attributes_of(number).items()),
            ("Alt text", image["alt"]),
        ]
        shown = "".join(
            f'<dt>{html.escape(name)}</dt><dd class="tag">{html.escape(text) or "–"}</dd>'
            for name, text in rows
        )
        return (
            f'<li><img src="{html.escape(image["src"])}" alt="{html.escape(image["alt"])}">'
            f"<h2>{html.escape(product['name'])}</h2><dl>{shown}</dl>"
            f'<form method="post"><input type="hidden" name="number" value="{number}">'
            '<label>Tags <input name="tags" value="'
            f'{html.escape(tags)}"></label>'
            '<button name="do" value="edit">Save</button>'
            '<button name="do" value="trash">Trash</button></form></li>'
        )

    def _act(self, form: Mapping[str, str]) -> None:
        what, number = form.get("do", ""), form.get("number", "")
        if what == "add" and form.get("photo", "") in self._photos:
            photo = self._photos[form["photo"]].read_bytes()
            self._store.add_product(form.get("name", "")[:80] or "New arrival", photo)
        elif number.isdecimal() and int(number) in self._store.products:
            if what == "trash":
                self._store.trash(int(number))
            elif what == "edit":
                tags = [each.strip() for each in form.get("tags", "").split(",")]
                self._store.edit(int(number), tags=[each for each in tags if each])
