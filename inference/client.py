"""The web's and the jobs' side of the engine: HTTP over its Unix socket or TCP."""

import atexit
import json
import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, TypeVar

import httpx

from inference.contract import (
    AnnotationResult,
    Box,
    EngineHealth,
    GarmentDetails,
    InvalidImage,
    ObjectType,
    Vectors,
)

Answer = TypeVar("Answer")

_CONNECT_TIMEOUT_S = 3.0
_HEALTH_TIMEOUT_S = 5.0
# Shorter than the engine keeps an idle connection, so that it is never the engine that closes one.
_KEEP_IDLE_S = 15.0


class Unavailable(Exception):
    """The engine cannot be reached or did not answer; the photo can be sent again."""


class Overloaded(Exception):
    """The engine takes no photo for now: its queue is full, it starts or it drains."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"The engine is busy; try again in {retry_after:g} s.")
        self.retry_after = retry_after


class NoWords(Exception):
    """The engine's model cannot read words."""


class NoDetails(Exception):
    """The engine has no weights that find key points; the message says what to get."""


class Client:
    """Costs nothing to make: all clients of a process that have one URL share one pool.

    Safe in threads and after a fork. A request that fails or is cancelled takes its connection
    with it: none goes back into the pool before its answer has been read to the end.
    """

    def __init__(self, url: str, *, model: str = "") -> None:
        """`unix:/path/of.sock` or `http://host:port`; `model`: another one than the engine's own,
        of its health's `others`, which photos are asked of."""
        self._url, self._model = url, model

    def annotate(
        self,
        data: bytes,
        crop: Box | None = None,
        hint: ObjectType | None = None,
        timeout: float = 60.0,
        when_sent: Callable[[], object] | None = None,
    ) -> AnnotationResult:
        """Raises InvalidImage, Overloaded, Unavailable, and ValueError for a refused argument.

        `when_sent` is called once the engine has all of the photo.
        """
        params = {
            "crop": ",".join(map(str, crop.as_tuple())) if crop else "",
            "hint": hint or "",
            "model": self._model,
        }
        response = self._send(
            "POST",
            "/v1/annotate",
            params={name: value for name, value in params.items() if value},
            content=data,
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT_S)),
            extensions={"trace": partial(_tell_sent, when_sent)} if when_sent else None,
        )
        return _read(response, AnnotationResult.from_json)

    def find_details(
        self, data: bytes, crop: Box | None = None, timeout: float = 60.0
    ) -> GarmentDetails:
        """Key points of the garment that the crop shows.

        Raises NoDetails, InvalidImage, Overloaded, Unavailable, and ValueError for a refused crop.
        """
        response = self._send(
            "POST",
            "/v1/details",
            params={"crop": ",".join(map(str, crop.as_tuple()))} if crop else {},
            content=data,
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT_S)),
        )
        return _read(response, GarmentDetails.from_json)

    def embed_texts(self, texts: Sequence[str], timeout: float = 10.0) -> list[list[float]]:
        """One L2-normalised vector a text, in the space of the garments' embeddings; ≤ 64 texts.

        Raises NoWords where the engine's model has no text encoder, Overloaded, Unavailable, and
        ValueError for a refused argument.
        """
        response = self._send(
            "POST",
            "/v1/embed-text",
            content=json.dumps({"texts": list(texts)}).encode(),
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT_S)),
        )
        return _read(response, lambda answer: [list(map(float, v)) for v in answer["embeddings"]])

    def embed_text(self, text: str, timeout: float = 10.0) -> list[float]:
        """The same for one text."""
        return self.embed_texts([text], timeout)[0]

    def compare(
        self,
        asked: Vectors,
        others: Sequence[Vectors],
        timeout: float = 10.0,
    ) -> list[float]:
        """How badly each of the other garments goes with the one asked for, in their order.

        Raises Overloaded, Unavailable, and ValueError for a refused argument.
        """
        response = self._send(
            "POST",
            "/v1/compare",
            content=json.dumps(
                {
                    "model": self._model,
                    "asked": asked.to_json(),
                    "others": [other.to_json() for other in others],
                }
            ).encode(),
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT_S)),
        )
        return _read(response, lambda answer: [float(each) for each in answer["distances"]])

    def health(self, timeout: float = _HEALTH_TIMEOUT_S) -> EngineHealth:
        """Raises Unavailable."""
        response = self._send("GET", "/v1/health", timeout=httpx.Timeout(timeout))
        return _read(response, EngineHealth.from_json)

    def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: httpx.Timeout,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> httpx.Response:
        pool = _pool(self._url, os.getpid())
        try:
            response = pool.request(
                method,
                path,
                params=params,
                content=content,
                timeout=timeout,
                extensions=extensions,
            )
        except httpx.TimeoutException as error:
            raise Unavailable("The engine did not answer in time.") from error
        except httpx.TransportError as error:
            raise Unavailable(f"The engine cannot be reached: {error}") from error
        if response.is_success:
            return response
        raise _refusal(response)


@cache
def _pool(url: str, process: int) -> httpx.Client:
    """By process, as a forked child would read its parent's answers from the sockets they share."""
    path = url.removeprefix("unix:")
    limits = httpx.Limits(max_connections=None, keepalive_expiry=_KEEP_IDLE_S)
    # A proxy in the environment is not meant for the engine: hence the transport of our own.
    transport = httpx.HTTPTransport(uds=path if path != url else None, limits=limits)
    pool = httpx.Client(
        base_url="http://engine" if path != url else url, transport=transport, trust_env=False
    )
    atexit.register(pool.close)
    return pool


def _tell_sent(when_sent: Callable[[], object], event: str, info: object) -> None:
    """What httpcore tells of a request as it goes."""
    if event == "http11.send_request_body.complete":
        when_sent()


def _refusal(response: httpx.Response) -> Exception:
    problem = _problem(response)
    detail = str(problem.get("detail", ""))
    match response.status_code:
        case 413 | 422:
            return InvalidImage(str(problem.get("code", "unreadable")), detail)
        case 400:
            return ValueError(detail)
        case 501 if problem.get("code") == "no-words":
            return NoWords(detail)
        case 501 if problem.get("code") == "no-details":
            return NoDetails(detail)
        case 503:
            return Overloaded(_seconds(response.headers.get("Retry-After", "")))
        case status:
            return Unavailable(f"The engine answered {status}. {detail}".strip())


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _seconds(value: str) -> float:
    return float(value) if value.isdecimal() else 1.0


def _read(response: httpx.Response, from_json: Callable[[dict[str, Any]], Answer]) -> Answer:
    try:
        return from_json(json.loads(response.content))
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable("The engine's answer is none that this version understands.") from error
