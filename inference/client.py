"""The web's and the jobs' side of the engine: HTTP over its Unix socket or TCP."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

from inference import connections
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

_HEALTH_TIMEOUT_S = 5.0


class Unavailable(Exception):
    """The engine cannot be reached or did not answer; the photo can be sent again."""


class NotReached(Unavailable):
    """Nobody listens at its address: it has not seen the photo."""


class Late(Unavailable):
    """It may be at work still."""


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
    ) -> AnnotationResult:
        """Raises InvalidImage, Overloaded, Unavailable, and ValueError for a refused argument."""
        return self.send_photo(data, crop, hint, timeout).read()

    def send_photo(
        self,
        data: bytes,
        crop: Box | None = None,
        hint: ObjectType | None = None,
        timeout: float = 60.0,
    ) -> "SentPhoto":
        """Returns when the engine has the photo, and works on it; raises Unavailable."""
        params = {"crop": _write_box(crop) if crop else "", "hint": hint, "model": self._model}
        return SentPhoto(self._begin("POST", "/v1/annotate", params, data, timeout))

    def find_details(
        self, data: bytes, crop: Box | None = None, timeout: float = 60.0
    ) -> GarmentDetails:
        """Key points of the garment that the crop shows.

        Raises NoDetails, InvalidImage, Overloaded, Unavailable, and ValueError for a refused crop.
        """
        response = self._send(
            "POST",
            "/v1/details",
            params={"crop": _write_box(crop) if crop else ""},
            content=data,
            timeout=timeout,
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
            timeout=timeout,
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
            timeout=timeout,
        )
        return _read(response, lambda answer: [float(each) for each in answer["distances"]])

    def health(self, timeout: float = _HEALTH_TIMEOUT_S) -> EngineHealth:
        """Raises Unavailable."""
        response = self._send("GET", "/v1/health", timeout=timeout)
        return _read(response, EngineHealth.from_json)

    def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: float,
        params: Mapping[str, str | None] | None = None,
        content: bytes | None = None,
    ) -> connections.Answer:
        return _accept(self._begin(method, path, params or {}, content, timeout))

    def _begin(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | None],
        content: bytes | None,
        timeout: float,
    ) -> connections.Sent:
        query = urlencode({name: value for name, value in params.items() if value})
        target = f"{path}?{query}" if query else path
        with _unavailable():
            return connections.send(self._url, method, target, content, timeout_s=timeout)


class SentPhoto:
    """One that the engine works on; read once, or dropped."""

    def __init__(self, sent: connections.Sent) -> None:
        self._sent = sent

    def read(self) -> AnnotationResult:
        """Raises as `Client.annotate`."""
        return _read(_accept(self._sent), AnnotationResult.from_json)

    def drop(self) -> None:
        """Nobody wants to know any more."""
        self._sent.drop()


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except connections.NotReached as error:
        raise NotReached(str(error)) from error
    except connections.Late as error:
        raise Late(str(error)) from error
    except connections.NotAnswered as error:
        raise Unavailable(str(error)) from error


def _accept(sent: connections.Sent) -> connections.Answer:
    with _unavailable():
        answer = sent.read()
    if 200 <= answer.status < 300:
        return answer
    raise _refusal(answer)


def _write_box(box: Box) -> str:
    return ",".join(map(str, box.as_tuple()))


def _refusal(answer: connections.Answer) -> Exception:
    problem = _problem(answer)
    detail = str(problem.get("detail", ""))
    match answer.status:
        case 413 | 422:
            return InvalidImage(str(problem.get("code", "unreadable")), detail)
        case 400:
            return ValueError(detail)
        case 501 if problem.get("code") == "no-words":
            return NoWords(detail)
        case 501 if problem.get("code") == "no-details":
            return NoDetails(detail)
        case 503:
            return Overloaded(_seconds(answer.retry_after))
        case status:
            return Unavailable(f"The engine answered {status}. {detail}".strip())


def _problem(answer: connections.Answer) -> dict[str, Any]:
    try:
        problem = json.loads(answer.body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _seconds(value: str) -> float:
    return float(value) if value.isdecimal() else 1.0


def _read(answer: connections.Answer, from_json: Callable[[dict[str, Any]], Answer]) -> Answer:
    try:
        return from_json(json.loads(answer.body))
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable("The engine's answer is none that this version understands.") from error
