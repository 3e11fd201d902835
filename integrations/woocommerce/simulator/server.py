"""The HTTP server of the simulated store."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from integrations.woocommerce.simulator.rest import Simulator
from integrations.woocommerce.simulator.state import Refused, Row

API = "/wp-json/wc/v3/"


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        store = self.server.store
        address = urlsplit(self.path)
        params = dict(parse_qsl(address.query, keep_blank_values=True))
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        if address.path.startswith(API) and store.has_permalinks and store.has_woocommerce:
            self._serve_api(method, address.path, params, data)
        elif address.path in store.images:
            self._send(200, store.images[address.path], "image/jpeg")
        elif address.path.rstrip("/") == "/wp-json" and store.has_permalinks:
            namespaces = ["wp/v2", "wc/v3"] if store.has_woocommerce else ["wp/v2"]
            self._send_json(200, {"name": "Simulated &amp; Sons", "namespaces": namespaces})
        elif address.path == "/" and params.get("rest_route") == "/":
            self._send_json(200, {"namespaces": ["wp/v2", "wc/v3"]})
        elif address.path == "/wc-auth/v1/authorize":
            self._approve(params)
        elif self.server.serve_page and self.server.serve_page(self, method, address.path, data):
            pass
        else:
            self._send(404, b"<html><body>Not found</body></html>", "text/html")

    def _serve_api(self, method: str, path: str, params: dict[str, str], data: bytes) -> None:
        store = self.server.store
        request = f"{method} {path.removeprefix(API)}"
        store.requests.append(request)
        fault = store.pick_fault(request)
        if fault and not fault.startswith("late-"):
            self._fail(fault)
            return
        try:
            authorization = self.headers.get("Authorization", "")
            store.check_key(method, f"{store.url}{path}", params, authorization)
            body = json.loads(data) if data else {}
            content, headers = store.answer(method, path.removeprefix(API), params, body)
            status = headers.pop("status", 200)
        except Refused as error:
            status, content, headers = error.status, error.body, {}
        if fault:
            self._fail(fault.removeprefix("late-"))
        else:
            self._send_json(status, content, headers)

    def _fail(self, fault: str) -> None:
        page = b"<!doctype html><html><body><h1>Error</h1></body></html>"
        self.server.store.after_fault(fault)
        if fault == "timeout":
            time.sleep(self.server.store.lag_s)
            self.close_connection = True
        elif fault == "reset":
            self.close_connection = True
        elif fault == "html":
            self._send(403, page, "text/html")
        else:
            headers = {"Retry-After": "1"} if fault == "429" else {}
            self._send(int(fault), page, "text/html", headers)

    def _approve(self, params: dict[str, str]) -> None:
        """In a real store somebody logs in and presses "Approve" before."""
        status = self.server.store.hand_over_keys(params)
        if status != 200:
            self._send(500, b"An error occurred while sending the keys.", "text/html")
            return
        query = urlencode({"success": 1, "user_id": params["user_id"]})
        mark = "&" if "?" in params["return_url"] else "?"
        self._send(302, b"", "text/html", {"Location": f"{params['return_url']}{mark}{query}"})

    def _send_json(self, status: int, content: Any, headers: Row | None = None) -> None:
        self._send(status, json.dumps(content).encode(), "application/json; charset=UTF-8", headers)

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
    request_queue_size = 64

    def __init__(self, store: Simulator, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.store = store
        self.serve_page: Callable[[Any, str, str, bytes], bool] | None = None
        store.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def run(
    store: Simulator | None = None,
    *,
    port: int = 0,
    delivers: bool = False,
    serve_page: Callable[[Any, str, str, bytes], bool] | None = None,
) -> Iterator[Simulator]:
    """The store at an address of this machine; with `delivers` it tells of what happens by itself,
    one message after another."""
    store = store or Simulator()
    server = _Server(store, port)
    server.serve_page = serve_page
    stopped = threading.Event()

    def deliver() -> None:
        while not stopped.wait(0.02):
            store.deliver_all()

    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})]
    if delivers:
        threads.append(threading.Thread(target=deliver))
    for thread in threads:
        thread.start()
    try:
        yield store
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join()
