"""Servers of the tests and a policy that reaches them."""

import socket
from collections.abc import Callable
from ipaddress import ip_network

import pytest

from kalas.lib import remote_images
from kalas.lib.request_failures import RequestFailed
from kalas.lib.safe_http import Policy

PUBLIC = "93.184.215.14"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
LOOPBACK = (ip_network("127.0.0.1/32"),)
Handler = Callable[[socket.socket], None]


def answering(
    body: bytes = b"",
    *,
    status: str = "200 OK",
    headers: str = "",
    requests: list[bytes] | None = None,
) -> Handler:
    def handle(connection: socket.socket) -> None:
        received = connection.recv(65536)
        if requests is not None:
            requests.append(received)
        connection.sendall(f"HTTP/1.1 {status}\r\n{headers}\r\n".encode() + body)

    return handle


def local(port: int, **options: object) -> Policy:
    """A policy of an operator whose own network is 127.0.0.1."""
    values = {"networks": LOOPBACK, "ports": frozenset({port, 80, 443}), "deadline_s": 5.0}
    return Policy(**{**values, "redirects": 3, **options})  # type: ignore[arg-type]


def fetch(port: int, **options: object) -> bytes:
    return remote_images.fetch_image(
        url=f"http://here.example:{port}/shirt.png", policy=local(port, **options)
    )


def refuse(port: int, **options: object) -> str:
    with pytest.raises(RequestFailed) as failure:
        fetch(port, **options)
    return failure.value.code
