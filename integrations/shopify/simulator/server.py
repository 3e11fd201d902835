"""The HTTP server of the simulated store."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from integrations.shopify.simulator.api import Simulator, read_operation
from integrations.shopify.simulator.state import Row


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        store, address = self.server.store, urlsplit(self.path)
        if address.path in store.images:
            self._send(200, store.images[address.path], "image/jpeg")
        elif address.path == "/admin/oauth/authorize":
            target = store.approve(dict(parse_qsl(address.query)))
            self._send(302, b"", "text/html", {"Location": target})
        else:
            self._send(404, b"<html></html>", "text/html")

    def do_POST(self) -> None:
        store, path = self.server.store, urlsplit(self.path).path
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/admin/oauth/access_token":
            status, content = store.give_token(dict(parse_qsl(data.decode())))
            self._send_json(status, content)
        elif path.endswith("/graphql.json"):
            self._serve_api(json.loads(data))
        else:
            self._send(404, b"<html></html>", "text/html")

    def _serve_api(self, question: Row) -> None:
        store = self.server.store
        token = self.headers.get("X-Shopify-Access-Token", "")
        if store.tokens.get(token, 0) < time.time():
            self._send_json(401, {"errors": "[API] Invalid API key or access token"})
            return
        fault = store.pick_fault(read_operation(question["query"]))
        if fault and not fault.startswith("late-"):
            self._fail(fault)
            return
        answer = store.answer(question["query"], question["variables"])
        if fault:
            self._fail(fault.removeprefix("late-"))
        else:
            self._send_json(200, answer)

    def _fail(self, fault: str) -> None:
        store = self.server.store
        store.after_fault(fault)
        if fault == "reset":
            self.close_connection = True
        elif fault == "throttled":
            self._send_json(200, store.throttle())
        elif fault == "html":
            self._send(200, b"<html>Maintenance</html>", "text/html")
        else:
            self._send(int(fault), b"{}", "application/json", {"Retry-After": "1.0"})

    def _send_json(self, status: int, content: Any) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str, headers: Row | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, store: Simulator, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = store
        store.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def run(store: Simulator | None = None, *, port: int = 0) -> Iterator[Simulator]:
    """The store at an address of this machine; `deliver_all` sends what it has to tell."""
    store = store or Simulator()
    server = _Server(store, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
