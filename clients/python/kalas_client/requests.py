"""The requests of all methods and when they are sent again: shared by both clients."""

import base64
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from kalas_client.errors import read_problem
from kalas_client.models import Box

Photo = bytes | str | Path

MOST_TRIES = 4
LONGEST_PAUSE_S = 60.0
# What may be gone a moment later. 409 only while the first sending is still being answered.
PASSING = frozenset({409, 429, 502, 503, 504})
STILL_WORKING = "request-in-progress"
# Beyond the time that the server was asked to wait.
MARGIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Ask:
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    wait_s: float = 0.0
    # The same for each repetition, so that there is one effect.
    key: str = field(default_factory=lambda: str(uuid4()))

    @property
    def options(self) -> dict[str, Any]:
        """For httpx."""
        options: dict[str, Any] = {"params": dict(self.params), "timeout": self.wait_s + MARGIN_S}
        if self.body is not None:
            options["json"] = self.body
        if self.method == "POST":
            options["headers"] = {"Idempotency-Key": self.key}
        return options


def connect(address: str, key: str) -> dict[str, Any]:
    """For httpx."""
    return {
        "base_url": f"{address.rstrip('/')}/api/v1/",
        "headers": {"Authorization": f"Bearer {key}", "User-Agent": "kalas-client/0.1"},
    }


def annotate(
    image: Photo | None,
    *,
    url: str | None,
    name: str | None,
    crop: Box | None,
    hint: str | None,
    product: str | None,
    wait_s: float,
) -> Ask:
    """Raises ValueError unless there is either a photo or an address."""
    if (image is None) == (url is None):
        raise ValueError("Give either a photo or its address.")
    body: dict[str, Any] = {"image_url": url, "name": name, "hint": hint, "product": product}
    if image is not None:
        data = image if isinstance(image, bytes) else Path(image).read_bytes()
        body["image"] = base64.b64encode(data).decode()
        body["name"] = name or (None if isinstance(image, bytes) else Path(image).name)
    if crop is not None:
        body["crop"] = _box(crop)
    given = {key: value for key, value in body.items() if value is not None}
    return Ask("POST", "annotations/", {"wait": str(wait_s)}, given, wait_s)


def list_annotations(filters: Mapping[str, Any]) -> Ask:
    given = {name: _write(value) for name, value in filters.items() if value is not None}
    return Ask("GET", "annotations/", given)


def review(
    annotation_id: str, corrections: Mapping[str, Mapping[str, Any]] | None, version: int | None
) -> Ask:
    garments = [{"id": garment, **change} for garment, change in (corrections or {}).items()]
    body: dict[str, Any] = {"garments": garments}
    if version is not None:
        body["version"] = version
    return Ask("POST", f"annotations/{annotation_id}/review/", body=body)


def create_batch(items: list[dict[str, Any]]) -> Ask:
    return Ask("POST", "batches/", body={"items": items})


def next_page(page: Mapping[str, Any]) -> Ask | None:
    """On the same server, whatever address the page names: the key goes there too."""
    url = page["next"]
    return Ask("GET", "annotations/", dict(httpx.URL(url).params)) if url else None


def is_done(ask: Ask, tries: int, response: httpx.Response) -> bool:
    """What a repeated DELETE does not find was deleted by the first, whose answer was lost."""
    gone = ask.method == "DELETE" and tries > 1 and response.status_code == httpx.codes.NOT_FOUND
    return response.is_success or gone


def pause_s(ask: Ask, tries: int, response: httpx.Response | None) -> float | None:
    """Before the same is sent again: as long as the server says, else 0.5, 1, 2 … seconds, spread.

    None where sending it again is no use: then it is a Problem.
    """
    most = MOST_TRIES
    if response is not None:
        name = read_problem(response).name
        if response.status_code not in PASSING:
            return None
        if response.status_code == httpx.codes.CONFLICT:
            if name != STILL_WORKING:
                return None
            most += int(ask.wait_s + MARGIN_S)  # it may take as long as it was asked to
    if tries >= most:
        return None
    asked = response.headers.get("Retry-After", "") if response is not None else ""
    if asked.isdecimal():
        return float(asked) if float(asked) <= LONGEST_PAUSE_S else None
    return float(2 ** (tries - 2) * random.uniform(0.8, 1.2))  # noqa: S311


def _box(box: Box) -> dict[str, int]:
    return {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom}


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
