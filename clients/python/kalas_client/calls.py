"""All that the client can do, written once: what to send and what to make of the answer.

A call is a generator of steps. Who runs it takes each step, in its own way of waiting, and sends
in what came of it.
"""

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from typing import Any, TypeAlias, TypeVar

import httpx

from kalas_client import requests
from kalas_client.errors import Unreachable, read_problem
from kalas_client.models import Annotation, Batch, Box, build
from kalas_client.requests import Ask, Photo

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Step: TypeAlias = Ask | Pause
# The answer, or how it was lost; None after a pause.
Outcome: TypeAlias = httpx.Response | httpx.TransportError | None
Call: TypeAlias = Generator[Step, Outcome, T]


def describe(method: Callable[..., Any], call: Callable[..., Any]) -> None:
    """For `help()`: the method has the call's name, words and parameters."""
    told = signature(call).replace(return_annotation=Signature.empty)
    itself = Parameter("self", Parameter.POSITIONAL_ONLY)
    parameters = [itself, *told.parameters.values()]
    vars(method)["__signature__"] = told.replace(parameters=parameters)
    method.__name__, method.__doc__ = call.__name__, call.__doc__


def send(ask: Ask) -> Call[httpx.Response]:
    """With repetitions of what may succeed a moment later; raises Problem and Unreachable."""
    tries = 0
    while True:
        tries += 1
        outcome = yield ask
        response = outcome if isinstance(outcome, httpx.Response) else None
        if response is not None and requests.is_done(ask, tries, response):
            return response
        pause_s = requests.pause_s(ask, tries, response)
        if pause_s is not None:
            yield Pause(pause_s)
        elif response is not None:
            raise read_problem(response)
        else:
            lost = outcome if isinstance(outcome, Exception) else None
            raise Unreachable(str(lost) or type(lost).__name__) from lost


def annotate(
    image: Photo | None = None,
    *,
    url: str | None = None,
    name: str | None = None,
    crop: Box | None = None,
    hint: str | None = None,
    product: str | None = None,
    wait: float = 30.0,
) -> Call[Annotation]:
    """Annotate a photo: its bytes, its path, or its address on the public internet.

    Still pending where the result took longer than `wait` seconds.
    """
    ask = requests.annotate(
        image, url=url, name=name, crop=crop, hint=hint, product=product, wait_s=wait
    )
    return build(Annotation, (yield from send(ask)).json())


def get_annotation(annotation_id: str) -> Call[Annotation]:
    ask = Ask("GET", f"annotations/{annotation_id}/")
    return build(Annotation, (yield from send(ask)).json())


def wait_for(annotation: Annotation, *, timeout: float = 60.0) -> Call[Annotation]:
    """Ask until it is answered; raises TimeoutError."""
    end = time.monotonic() + timeout
    pause_s = 0.1
    while annotation.is_pending:
        if time.monotonic() >= end:
            raise TimeoutError(f"{annotation.id} is still pending.")
        yield Pause(pause_s)
        pause_s = min(pause_s * 1.5, 5.0)
        annotation = yield from get_annotation(annotation.id)
    return annotation


def read_page(ask: Ask) -> Call[tuple[list[Annotation], Ask | None]]:
    """Of a list, and what to ask for the next one."""
    page = (yield from send(ask)).json()
    return [build(Annotation, each) for each in page["results"]], requests.next_page(page)


def review(
    annotation_id: str,
    corrections: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    version: int | None = None,
) -> Call[Annotation]:
    """Accept the result; `corrections` name what changes by the garment's id:
    `{garment.id: {"category": "top", "attributes": {"pattern": None}}}`.

    `version` is the annotation's that you have seen, which a result that somebody has reviewed
    takes: a Problem (`reviewed-meanwhile`) if it is another by now.
    """
    ask = requests.review(annotation_id, corrections, version)
    return build(Annotation, (yield from send(ask)).json())


def delete_annotation(annotation_id: str) -> Call[None]:
    """With its photo and all other annotations of it."""
    yield from send(Ask("DELETE", f"annotations/{annotation_id}/"))


def get_overlay(annotation_id: str) -> Call[bytes]:
    """A PNG of the photo with boxes and names drawn on it."""
    return (yield from send(Ask("GET", f"annotations/{annotation_id}/overlay.png"))).content


def create_batch(items: list[dict[str, Any]]) -> Call[Batch]:
    """Up to 1,000 of `{"image_url": …, "product": …}`."""
    return build(Batch, (yield from send(requests.create_batch(items))).json())


def get_batch(batch_id: str, *, offset: int = 0, limit: int = 100) -> Call[Batch]:
    params = {"offset": str(offset), "limit": str(limit)}
    return build(Batch, (yield from send(Ask("GET", f"batches/{batch_id}/", params))).json())


def get_taxonomy() -> Call[dict[str, Any]]:
    taxonomy: dict[str, Any] = (yield from send(Ask("GET", "taxonomy/"))).json()
    return taxonomy


def get_usage() -> Call[dict[str, Any]]:
    usage: dict[str, Any] = (yield from send(Ask("GET", "usage/"))).json()
    return usage
