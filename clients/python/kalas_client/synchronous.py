import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from kalas_client import requests
from kalas_client.errors import Unreachable, read_problem
from kalas_client.models import Annotation, Batch, Box, build
from kalas_client.requests import Ask, Photo


class Kalas:
    """One shop of a Kalas installation, as one API key sees it.

    Every method raises Problem for what the API refuses, and Unreachable.
    """

    def __init__(
        self, address: str, key: str, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._http = httpx.Client(
            base_url=f"{address.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {key}", "User-Agent": "kalas-client/0.1"},
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def annotate(
        self,
        image: Photo | None = None,
        *,
        url: str | None = None,
        name: str | None = None,
        crop: Box | None = None,
        hint: str | None = None,
        product: str | None = None,
        wait: float = 30.0,
    ) -> Annotation:
        """Annotate a photo: its bytes, its path, or its address on the public internet.

        Still pending where the result took longer than `wait` seconds.
        """
        ask = requests.annotate(
            image, url=url, name=name, crop=crop, hint=hint, product=product, wait_s=wait
        )
        return build(Annotation, (self._send(ask)).json())

    def get_annotation(self, annotation_id: str) -> Annotation:
        ask = Ask("GET", f"annotations/{annotation_id}/")
        return build(Annotation, (self._send(ask)).json())

    def wait_for(self, annotation: Annotation, *, timeout: float = 60.0) -> Annotation:
        """Ask until it is answered; raises TimeoutError."""
        end = time.monotonic() + timeout
        pause = 0.1
        while annotation.is_pending:
            if time.monotonic() >= end:
                raise TimeoutError(f"{annotation.id} is still pending.")
            time.sleep(pause)
            pause = min(pause * 1.5, 5.0)
            annotation = self.get_annotation(annotation.id)
        return annotation

    def list_annotations(self, **filters: Any) -> Iterator[Annotation]:
        """All that match, newest first. Filters: `state`, `needs_review`, `category`, `attribute`,
        `colour`, `object`, `product`, `since`, `until`, as documented.
        """
        ask: Ask | None = requests.list_annotations(filters)
        while ask is not None:
            page = (self._send(ask)).json()
            for each in page["results"]:
                yield build(Annotation, each)
            ask = requests.next_page(page)

    def review(
        self,
        annotation_id: str,
        corrections: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        version: int | None = None,
    ) -> Annotation:
        """Accept the result; `corrections` name what changes by the garment's id:
        `{garment.id: {"category": "top", "attributes": {"pattern": None}}}`.

        `version` is the annotation's that you have seen, which a result that somebody has reviewed
        takes: a Problem (`reviewed-meanwhile`) if it is another by now.
        """
        ask = requests.review(annotation_id, corrections, version)
        return build(Annotation, (self._send(ask)).json())

    def delete_annotation(self, annotation_id: str) -> None:
        """With its photo and all other annotations of it."""
        self._send(Ask("DELETE", f"annotations/{annotation_id}/"))

    def get_overlay(self, annotation_id: str) -> bytes:
        """A PNG of the photo with boxes and names drawn on it."""
        return (self._send(Ask("GET", f"annotations/{annotation_id}/overlay.png"))).content

    def create_batch(self, items: list[dict[str, Any]]) -> Batch:
        """Up to 1,000 of `{"image_url": …, "product": …}`."""
        return build(Batch, (self._send(requests.create_batch(items))).json())

    def get_batch(self, batch_id: str, *, offset: int = 0, limit: int = 100) -> Batch:
        params = {"offset": str(offset), "limit": str(limit)}
        ask = Ask("GET", f"batches/{batch_id}/", params)
        return build(Batch, (self._send(ask)).json())

    def get_taxonomy(self) -> dict[str, Any]:
        taxonomy: dict[str, Any] = (self._send(Ask("GET", "taxonomy/"))).json()
        return taxonomy

    def get_usage(self) -> dict[str, Any]:
        usage: dict[str, Any] = (self._send(Ask("GET", "usage/"))).json()
        return usage

    def _send(self, ask: Ask) -> httpx.Response:
        """With repetitions of what may succeed a moment later."""
        tries = 0
        while True:
            tries += 1
            response, lost = None, None
            try:
                response = self._http.request(ask.method, ask.path, **ask.options)
            except httpx.TransportError as error:
                lost = error
            if response is not None and requests.is_done(ask, tries, response):
                return response
            pause_s = requests.pause_s(ask, tries, response)
            if pause_s is not None:
                time.sleep(pause_s)
            elif response is not None:
                raise read_problem(response)
            else:
                raise Unreachable(str(lost) or type(lost).__name__) from lost
