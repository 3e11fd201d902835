from collections.abc import Mapping
from typing import Any

import httpx


class Unreachable(Exception):
    """There was no answer, also not after the last repetition."""


class Problem(Exception):
    """What the API refused, and why. `name` is the last part of the documented `type`."""

    def __init__(self, *, name: str, status: int, detail: str, body: Mapping[str, Any]) -> None:
        super().__init__(f"{name} ({status}): {detail}")
        self.name = name
        self.status = status
        self.detail = detail
        self.body = body

    @property
    def errors(self) -> list[dict[str, str]]:
        """Each wrong field, where the name is `invalid-request`."""
        return list(self.body.get("errors", []))


def read_problem(response: httpx.Response) -> Problem:
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    return Problem(
        name=str(body.get("type", "unknown")).rstrip("/").rsplit("/", 1)[-1],
        status=response.status_code,
        detail=str(body.get("detail", response.reason_phrase)),
        body=body,
    )
