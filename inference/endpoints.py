"""The engine's HTTP contract as a bare ASGI application: annotate, details, embed-text, health."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar, get_args
from urllib.parse import parse_qsl

from inference.contract import (
    AnnotationResult,
    Box,
    EngineHealth,
    GarmentDetails,
    InvalidImage,
    ObjectType,
    Vectors,
)
from inference.request import (
    Compared,
    ModelRefused,
    NoDetails,
    NoWords,
    Photo,
    parse_crop,
)

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

MAX_BODY = 25 * 1024 * 1024
MAX_TEXTS = 64
MAX_TEXT = 1000
"""Characters of one text."""
_OBJECT_TYPES: dict[str, ObjectType] = {name: name for name in get_args(ObjectType)}


class Busy(Exception):
    """No photo is taken for now; worth another try in `retry_after` seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Annotator(Protocol):
    def refuse_if_busy(self) -> None:
        """Raises Busy where a photo would not be taken, before its bytes are read."""

    async def annotate(self, photo: Photo) -> AnnotationResult:
        """Raises Busy, InvalidImage."""
        ...

    async def compare(self, asked: Compared) -> list[float]:
        """Raises Busy, ModelRefused."""
        ...

    async def embed_texts(self, texts: list[str]) -> list[list[float]]:
        """Raises Busy, NoWords."""
        ...

    async def find_details(self, photo: Photo) -> GarmentDetails:
        """Raises Busy, InvalidImage, NoDetails."""
        ...

    def health(self) -> EngineHealth: ...


class _Problem(Exception):
    """An answer by RFC 9457."""

    def __init__(self, status: int, code: str, title: str, detail: str, **more: str | int) -> None:
        super().__init__(detail)
        self.status = status
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = {
            "type": f"urn:kalas:problem:{code}",
            "title": title,
            "status": status,
            "code": code,
            "detail": detail,
            **more,
        }


class _Disconnected(Exception):
    """The client is gone; nobody reads the answer."""


def make_application(annotator: Annotator) -> Application:
    async def application(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"The engine speaks HTTP only, not {scope['type']}.")
        try:
            answer = await _route(scope, receive, annotator)
        except _Disconnected:
            return
        except _Problem as problem:
            await _send_json(
                send, problem.status, problem.body, problem.headers, b"application/problem+json"
            )
        else:
            await _send_json(send, 200, answer)

    return application


async def _route(
    scope: Mapping[str, Any], receive: Receive, annotator: Annotator
) -> dict[str, Any]:
    match scope["method"], scope["path"]:
        case "GET" | "HEAD", "/v1/health":
            return annotator.health().to_json()
        case "POST", "/v1/annotate":
            return await _annotate(scope, receive, annotator)
        case "POST", "/v1/embed-text":
            return await _embed_texts(receive, annotator)
        case "POST", "/v1/details":
            return await _find_details(scope, receive, annotator)
        case "POST", "/v1/compare":
            return await _compare(receive, annotator)
        case _, ("/v1/health" | "/v1/annotate" | "/v1/embed-text" | "/v1/details" | "/v1/compare"):
            raise _Problem(405, "method-not-allowed", "Method not allowed", "Use the other method.")
        case _:
            raise _Problem(
                404,
                "not-found",
                "Not found",
                "There are /v1/annotate, /v1/details, /v1/embed-text, /v1/compare and /v1/health.",
            )


async def _find_details(
    scope: Mapping[str, Any], receive: Receive, annotator: Annotator
) -> dict[str, Any]:
    try:
        crop, hint, model = _read_parameters(scope["query_string"])
        if hint or model:
            raise _bad_parameter(
                "hint" if hint else "model", "Details are those of what the crop shows."
            )
        annotator.refuse_if_busy()
        photo = Photo(await _read_body(receive), crop)
        found = await _answer_or_disconnect(annotator.find_details(photo), receive)
    except Busy as error:
        raise _busy(error) from error
    except NoDetails as error:
        raise _Problem(501, "no-details", "This engine finds no details", str(error)) from error
    except InvalidImage as error:
        raise _Problem(422, error.code, "This photo cannot be used", error.detail) from error
    except (_Disconnected, _Problem):
        raise
    except Exception as error:
        logger.exception("A photo's details could not be found")
        raise _Problem(
            500, "engine-error", "The engine failed", "The engine failed on this photo."
        ) from error
    return found.to_json()


async def _annotate(
    scope: Mapping[str, Any], receive: Receive, annotator: Annotator
) -> dict[str, Any]:
    try:
        crop, hint, model = _read_parameters(scope["query_string"])
        annotator.refuse_if_busy()
        data = await _read_body(receive)
        result = await _answer_or_disconnect(
            annotator.annotate(Photo(data, crop, hint, model)), receive
        )
    except Busy as error:
        raise _busy(error) from error
    except InvalidImage as error:
        raise _Problem(422, error.code, "This photo cannot be used", error.detail) from error
    except ModelRefused as error:
        raise _refused(error) from error
    except (_Disconnected, _Problem):
        raise
    except Exception as error:
        logger.exception("A photo could not be annotated")
        raise _Problem(
            500, "engine-error", "The engine failed", "The engine failed on this photo."
        ) from error
    return result.to_json()


async def _compare(receive: Receive, annotator: Annotator) -> dict[str, Any]:
    body = await _read_body(receive)
    try:
        read = json.loads(body)
        asked = Compared(
            str(read["model"]),
            Vectors.from_json(read["asked"]),
            tuple(map(Vectors.from_json, read["others"])),
        )
        size = len(asked.asked.data)
        if not size or size % 4 or any(len(other.data) % size for other in asked.others):
            raise ValueError("The vectors differ in length.")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _Problem(400, "invalid-comparison", "The request is wrong", str(error)) from error
    try:
        return {"distances": await annotator.compare(asked)}
    except Busy as error:
        raise _busy(error) from error
    except ModelRefused as error:
        raise _refused(error) from error


def _refused(error: ModelRefused) -> _Problem:
    return _Problem(400, "model-refused", "The model cannot answer", str(error))


async def _embed_texts(receive: Receive, annotator: Annotator) -> dict[str, Any]:
    texts = _read_texts(await _read_body(receive))
    try:
        vectors = await annotator.embed_texts(texts)
    except Busy as error:
        raise _busy(error) from error
    except NoWords as error:
        raise _Problem(501, "no-words", "This model does not read words", str(error)) from error
    except Exception as error:
        logger.exception("%d texts could not be embedded", len(texts))
        raise _Problem(
            500, "engine-error", "The engine failed", "The engine failed on these texts."
        ) from error
    return {"model": annotator.health().to_json()["model"], "embeddings": vectors}


def _read_texts(body: bytes) -> list[str]:
    """Raises _Problem."""
    rule = f'It is {{"texts": […]}} with 1 to {MAX_TEXTS} texts of at most {MAX_TEXT} characters.'
    try:
        texts: list[str] = json.loads(body)["texts"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _Problem(400, "invalid-texts", "The request is wrong", rule) from error
    well_formed = (
        isinstance(texts, list)
        and 1 <= len(texts) <= MAX_TEXTS
        and all(isinstance(text, str) and len(text) <= MAX_TEXT for text in texts)
    )
    if not well_formed:
        raise _Problem(400, "invalid-texts", "The request is wrong", rule)
    return texts


def _busy(error: Busy) -> _Problem:
    problem = _Problem(503, "busy", "The engine is busy", str(error))
    problem.headers = [(b"retry-after", b"%d" % error.retry_after)]
    return problem


async def _answer_or_disconnect(answer: Awaitable[Answer], receive: Receive) -> Answer:
    """A client that leaves takes its photo out of the queue."""
    working = asyncio.ensure_future(answer)
    leaving = asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _Disconnected
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_body(receive: Receive) -> bytes:
    """Raises _Problem beyond the limit, but after reading on: who still writes reads no answer."""
    body = bytearray()
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY:
            body += chunk
        if not message.get("more_body", False) or size > 4 * MAX_BODY:
            break
    if size > MAX_BODY:
        raise _Problem(413, "too-large", "The photo is too large", "The photo exceeds 25 MB.")
    return bytes(body)


def _read_parameters(query: bytes) -> tuple[Box | None, ObjectType | None, str]:
    parameters = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    crop = parameters.pop("crop", None)
    hint = parameters.pop("hint", None)
    model = parameters.pop("model", "")
    for name in parameters:
        raise _bad_parameter(name, "There are crop, hint and model.")
    if hint is not None and hint not in _OBJECT_TYPES:
        raise _bad_parameter("hint", f"It is one of {', '.join(_OBJECT_TYPES)}.")
    try:
        box = None if crop is None else parse_crop(crop)
    except ValueError as error:
        raise _bad_parameter("crop", str(error)) from error
    return box, None if hint is None else _OBJECT_TYPES[hint], model


def _bad_parameter(name: str, rule: str) -> _Problem:
    return _Problem(
        400,
        f"invalid-{name}" if name in {"crop", "hint"} else "unknown-parameter",
        "A parameter is wrong",
        f"The parameter {name} is wrong. {rule}",
        parameter=name,
    )


async def _send_json(
    send: Send,
    status: int,
    value: Mapping[str, Any],
    headers: list[tuple[bytes, bytes]] | None = None,
    content_type: bytes = b"application/json",
) -> None:
    body = json.dumps(value, separators=(",", ":")).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", b"%d" % len(body)),
                *(headers or ()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
