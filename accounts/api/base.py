"""What all views of the API share: who asks, whether they may, how often, once or again."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import wraps
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import NotAuthenticated
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency, limits
from accounts.api.authentication import Caller, KeyAuthentication, MemberAuthentication
from accounts.models import Scope, Tenant
from kalas.lib import conflicts
from kalas.lib.api.bodies import JsonParser
from kalas.lib.api.problems import Problem
from kalas.lib.tenant_rows import only_rows_of

P = ParamSpec("P")
V = TypeVar("V", bound="ApiView")

# So much of an answer is kept to be repeated: links, not bodies.
KEPT_HEADERS = ("Location", "ETag", "Cache-Control")


class AlwaysJson(BaseContentNegotiation):
    """Whatever `Accept` says: photos have addresses of their own, everything else is JSON."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """The first that takes the request's content type; none of them takes several."""
        sent = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class ApiView(APIView):
    """`scopes`: for each method the scopes of which the caller needs one; none means any key."""

    authentication_classes = [KeyAuthentication, MemberAuthentication]
    permission_classes = ()
    parser_classes: Sequence[type[BaseParser]] = [JsonParser]
    content_negotiation_class = AlwaysJson
    metadata_class = None
    scopes: ClassVar[Mapping[str, Sequence[Scope]]]
    longest_json = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    # A POST that takes its time keeps its answer itself, with what must not happen twice.
    is_one_transaction = True
    turn: idempotency.Turn | None = None
    # The photo of which the answer tells, so that it goes with it.
    about: UUID | None = None
    spent: Sequence[limits.Limit] = ()
    wall: ExitStack

    @property
    def caller(self) -> Caller:
        caller: object = self.request.user
        assert isinstance(caller, Caller)  # noqa: S101 - `initial` has refused all others
        return caller

    @property
    def tenant(self) -> Tenant:
        return self.caller.tenant

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with ExitStack() as self.wall:
            return super().dispatch(request, *args, **kwargs)

    def keep(self, response: HttpResponseBase) -> None:
        """For the request's Idempotency-Key, if it has one, in the running transaction."""
        if self.turn is not None:
            idempotency.finish(turn=self.turn, answer=_describe(response), about=self.about)
            self.turn = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises the problem that keeps this request from being answered. From here on the
        database shows the caller's shop only."""
        super().initial(request, *args, **kwargs)
        user: object = request.user
        if not isinstance(user, Caller):
            raise NotAuthenticated
        self.wall.enter_context(only_rows_of(user.tenant.id))
        self._take_from_limits()
        method = "GET" if request.method == "HEAD" else str(request.method)
        needed = self.scopes.get(method, ())
        if needed and not self.caller.scopes.intersection(needed):
            raise Problem("missing-scope", needs=[str(scope) for scope in needed])

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in limits.build_headers(self.spent).items() if self.spent else ():
            response[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _take_from_limits(self) -> None:
        caller = self.caller
        try:
            self.spent = limits.take(
                tenant=caller.tenant, caller=caller.name, key=caller.key, now=timezone.now()
            )
        except IntegrityError as error:
            # Its key is remembered, the shop is gone.
            raise NotAuthenticated from error
        except limits.TooManyRequests as error:
            self.spent = error.limits
            wait = {"Retry-After": str(error.retry_after_s)}
            raise Problem("too-many-requests", headers=wait) from error


def once_per_idempotency_key(
    view: Callable[Concatenate[V, Request, P], HttpResponseBase],
) -> Callable[Concatenate[V, Request, P], HttpResponseBase]:
    """For a POST: with an `Idempotency-Key` it has one effect and one answer, for two days.

    The answer is kept in the transaction of the effect, so that whoever dies has done both or
    neither. So a view that is one transaction, and stores no files, is tried once more where
    another's was in its way.
    """

    @wraps(view)
    def answer(self: V, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(self, request, *args, **kwargs)
        turn = _begin(self.caller, request, key)
        if turn.answer is not None:
            return _repeat(turn.answer)

        def work() -> HttpResponseBase:
            self.turn = turn
            response = view(self, request, *args, **kwargs)
            self.keep(response)
            return response

        try:
            if not self.is_one_transaction:
                return work()
            # What was sent as a file may be stored already, out of its place.
            return conflicts.in_one_transaction(work, try_again=not request.FILES)
        except BaseException:
            idempotency.forget(turn=turn)
            raise

    answer.is_idempotent = True  # type: ignore[attr-defined]
    return answer


def _begin(caller: Caller, request: Request, key: str) -> idempotency.Turn:
    if not (0 < len(key) <= idempotency.LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Problem(
            "invalid-request",
            errors=[
                {
                    "field": "Idempotency-Key",
                    "code": "invalid",
                    "detail": "1 to 255 visible ASCII characters.",
                }
            ],
        )
    try:
        return idempotency.begin(
            tenant=caller.tenant,
            caller=caller.name,
            key=key,
            fingerprint=fingerprint(request),
            now=timezone.now(),
        )
    except idempotency.StillWorking as error:
        raise Problem("request-in-progress", headers={"Retry-After": "1"}) from error
    except idempotency.OtherRequest as error:
        raise Problem("idempotency-key-reused") from error


def fingerprint(request: Request) -> str:
    """Of what is asked, not of its bytes: the boundaries of a form differ each time."""
    asked: dict[str, Any] = {"method": request.method, "path": request.get_full_path()}
    if request.FILES:
        asked["files"] = [
            [name, file.name, _hash_file(file)]
            for name, files in sorted(request.FILES.lists())
            for file in files
        ]
        asked["fields"] = sorted(
            [name, values] for name, values in request.POST.lists() if name not in request.FILES
        )
    else:
        asked["data"] = request.data
    text = json.dumps(asked, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hash_file(file: "UploadedFile[Any]") -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _describe(response: HttpResponseBase) -> idempotency.Answer:
    assert isinstance(response, Response)  # noqa: S101 - what POSTs answer with
    body = b"" if response.data is None else JSONRenderer().render(response.data)
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    return idempotency.Answer(response.status_code, headers, body)


def _repeat(answer: idempotency.Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
    for name, value in answer.headers.items():
        response[name] = value
    response["Idempotent-Replayed"] = "true"
    return response
