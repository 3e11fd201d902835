"""How Daphne takes the bodies of requests, and what it calls its answers.

Twisted parses every posted form itself, of strangers too and on the event loop: a form of 200 MB
took 2.6 GB and kept everybody waiting for 20 s, for a result that nobody reads. And it takes
bodies of any length. Of the newer statuses it knows no name: 422 was "Unknown Status".
"""

from http import HTTPStatus
from typing import Any

from daphne import http_protocol

PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


class Request(http_protocol.WebRequest):  # type: ignore[misc]
    longest_body = 0
    received = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, parsePOSTFormSubmission=False)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """What is too much is read and forgotten: a browser only listens once it has sent all."""
        self.received += len(data)
        if self.received <= self.longest_body:
            super().handleContentChunk(data)

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:  # noqa: N802
        super().setResponseCode(code, message or PHRASES.get(code))

    def process(self) -> Any:
        """What was too much reaches the application as its length only, which it refuses. What
        came in chunks gets a length: Django takes a body without one for none."""
        if self.received > self.longest_body:
            self.content.seek(0)
            self.content.truncate()
        if self.received:
            self.requestHeaders.setRawHeaders(b"content-length", [str(self.received).encode()])
        return super().process()


def limit_bodies(*, longest: int) -> None:
    """Call before Daphne starts to listen."""
    Request.longest_body = longest
    http_protocol.WebRequest = Request
