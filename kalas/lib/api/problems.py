"""What can go wrong in the API: RFC 9457, with one documented type for each case."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    ObjectDoesNotExist,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, JsonResponse
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from kalas.lib.conflicts import is_conflict
from kalas.lib.outages import Away

MEDIA_TYPE = "application/problem+json"
NON_FIELD = "non_field_errors"
# So many wrong fields are told of in `detail`; `errors` has all of them.
TOLD = 3


@dataclass(frozen=True, slots=True)
class ProblemType:
    """`name` never changes: clients compare it. `advice` says what to do about it."""

    name: str
    status: int
    title: str
    advice: str

    @property
    def uri(self) -> str:
        return f"{settings.PUBLIC_URL.rstrip('/')}/docs/problems/{self.name}/"


TYPES: dict[str, ProblemType] = {
    each.name: each
    for each in (
        ProblemType(
            "malformed-body",
            400,
            "The body can't be read",
            "Send valid JSON in UTF-8, or a multipart form, and name which in Content-Type.",
        ),
        ProblemType(
            "unknown-host",
            400,
            "This installation does not answer to this name",
            "Ask it by a name that its operator has listed in `ALLOWED_HOSTS`.",
        ),
        ProblemType(
            "not-authenticated",
            401,
            "No key and no session",
            "Send `Authorization: Bearer kal_…` with a key from the developers' page.",
        ),
        ProblemType(
            "invalid-key",
            401,
            "The key is not valid",
            "It is misspelt, expired, replaced or revoked. Make a new one on the developers' page.",
        ),
        ProblemType(
            "missing-scope",
            403,
            "The key may not do this",
            "`needs` lists the scopes of which the key must have one. Make a key that has it.",
        ),
        ProblemType(
            "origin-refused",
            403,
            "The key may not be used from here",
            "A publishable key works in web pages of the origins that are listed with it.",
        ),
        ProblemType(
            "forbidden",
            403,
            "Not allowed",
            "A session needs a shop, and a CSRF token for everything but reading.",
        ),
        ProblemType(
            "not-found",
            404,
            "There is no such thing",
            "The address or the id is wrong, the thing was deleted, or it is another shop's.",
        ),
        ProblemType(
            "method-not-allowed",
            405,
            "This address does not take this method",
            "`Allow` lists those that it takes.",
        ),
        ProblemType(
            "request-in-progress",
            409,
            "A request with this Idempotency-Key is still being answered",
            "Wait for as long as `Retry-After` says and send the same request again.",
        ),
        ProblemType(
            "not-reviewable",
            409,
            "This annotation has no result to review",
            "Only annotations in the state `done` have garments that can be corrected.",
        ),
        ProblemType(
            "reviewed-meanwhile",
            409,
            "Somebody else has reviewed this annotation since you looked at it",
            "Get it again: `version` says at which version it is now.",
        ),
        ProblemType(
            "not-undoable",
            409,
            "This review can't be undone",
            "It was undone before, or a later review of the annotation has to be undone first.",
        ),
        ProblemType(
            "too-many-webhooks",
            409,
            "The shop has as many webhook endpoints as it may have",
            "Delete one that nobody uses.",
        ),
        ProblemType(
            "webhook-not-active",
            409,
            "The webhook endpoint is switched off or paused",
            "Set its `state` to `active`; what was held back is sent then.",
        ),
        ProblemType(
            "store-not-connected",
            409,
            "The store is not connected",
            "It waits for keys, is switched off, or tells its products by itself. Look at `state`.",
        ),
        ProblemType(
            "backfill-goes-on",
            409,
            "Another backfill or preview of this store is not done yet",
            "Wait for it, or end it: PATCH its `state` to `cancelled`.",
        ),
        ProblemType(
            "product-id-taken",
            409,
            "Another product has this external_id",
            "Ids are unique in a shop. Change the other product, or merge the two.",
        ),
        ProblemType(
            "import-not-ready",
            409,
            "The import is in another state",
            "Only what is `checked` can be started, and only what has not ended be stopped.",
        ),
        ProblemType(
            "precondition-failed",
            412,
            "It is not what it was when you looked at it",
            "`If-Match` names another state than the one it is in. Get it again, look whether your"
            " change still holds, and send that with the new ETag.",
        ),
        ProblemType(
            "too-large",
            413,
            "Too much at once",
            "A photo may have 25 MB, a request as a whole 100 MB, JSON without a photo 2 MB.",
        ),
        ProblemType(
            "unsupported-media-type",
            415,
            "This Content-Type is not taken here",
            "Send `application/json`; photos may also come as `multipart/form-data`.",
        ),
        ProblemType(
            "invalid-request",
            422,
            "Something in the request is wrong",
            "`errors` names each wrong field with its reason.",
        ),
        ProblemType(
            "idempotency-key-reused",
            422,
            "This Idempotency-Key came with another request before",
            "Use a new key for each request that shall have an effect of its own.",
        ),
        ProblemType(
            "photo-refused",
            422,
            "The photo can't be used",
            "`reason` is one of empty, too-large, unsupported-format, heic, svg, too-many-pixels,"
            " too-small, damaged, failed.",
        ),
        ProblemType(
            "image-url-failed",
            422,
            "The photo could not be fetched",
            "`reason` says why. The address must be public and lead to a JPEG, PNG, WebP, AVIF, GIF"
            " or BMP file within 15 seconds. `host-refused`: a publishable key fetches photos of"
            " the hosts that are listed with it only; list the photos' host too, or send the"
            " photo.",
        ),
        ProblemType(
            "version-required",
            428,
            "Somebody has reviewed this annotation: say which version of it you have seen",
            "Get it again and send its `version` with your review, or its ETag in `If-Match`."
            " Without either, only what nobody has reviewed yet is taken.",
        ),
        ProblemType(
            "too-many-requests",
            429,
            "Too many requests",
            "Wait for as long as `Retry-After` says. `RateLimit` shows what is left.",
        ),
        ProblemType(
            "too-many-waiting",
            429,
            "Too many photos of the shop's batches are waiting",
            "At most 10,000 may. Wait until some of them are done, or ask for fewer.",
        ),
        ProblemType(
            "quota-used-up",
            429,
            "This month's annotations are used up",
            "`Retry-After` leads to the first day of the next month; the operator can raise it.",
        ),
        ProblemType(
            "server-error",
            500,
            "Something broke on our side",
            "Send the request again, with the same Idempotency-Key.",
        ),
        ProblemType(
            "engine-busy",
            503,
            "The engine is busy",
            "The photo is kept and will be annotated: read `annotation` later, or send the same"
            " request again after `Retry-After`, which costs nothing more.",
        ),
        ProblemType(
            "index-being-built",
            503,
            "The search index for the engine's model is not ready yet",
            "Search by product or by words meanwhile, which use the index that was there before.",
        ),
        ProblemType(
            "no-details",
            503,
            "This installation's engine finds no details",
            "Search without `match_details`; who runs the installation can give the engine weights"
            " that find key points.",
        ),
        ProblemType(
            "unavailable",
            503,
            "A part of the service is away",
            "Send the request again, with the same Idempotency-Key, after `Retry-After`.",
        ),
    )
}


class Problem(exceptions.APIException):
    """Raised by views; `extra` becomes members of the body beside the standard ones."""

    def __init__(
        self,
        name: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.type = TYPES[name]
        self.status_code = self.type.status
        self.text = detail
        self.headers = headers or {}
        self.extra = extra

    def to_response(self) -> Response:
        body = build(self.type, detail=self.text, **self.extra)
        return Response(body, status=self.type.status, headers=dict(self.headers))


# What Django, DRF and the database raise, and the type that it is.
_KNOWN: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ParseError, "malformed-body"),
    (exceptions.AuthenticationFailed, "invalid-key"),
    (exceptions.NotAuthenticated, "not-authenticated"),
    (exceptions.PermissionDenied, "forbidden"),
    (DjangoPermissionDenied, "forbidden"),
    (exceptions.NotFound, "not-found"),
    (Http404, "not-found"),
    (ObjectDoesNotExist, "not-found"),  # also what was deleted while the request was answered
    (exceptions.MethodNotAllowed, "method-not-allowed"),
    (exceptions.UnsupportedMediaType, "unsupported-media-type"),
    (RequestDataTooBig, "too-large"),
    (MultiPartParserError, "malformed-body"),
    (DisallowedHost, "unknown-host"),
    (SuspiciousOperation, "malformed-body"),
    (BadRequest, "malformed-body"),
    (OperationalError, "unavailable"),
    (InterfaceError, "unavailable"),
    (Away, "unavailable"),
)

# Of these DRF's own words say less than ours, or only what is wrong.
BETTER_ADVICE = ("not-found", "not-authenticated")
MORE_ADVICE = ("method-not-allowed", "unsupported-media-type")


def handle_exception(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. None, so that it is raised, for what nobody foresaw."""
    problem = _to_problem(error)
    if problem is None:
        return None
    set_rollback()
    response = problem.to_response()
    response.content_type = MEDIA_TYPE
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if problem.status_code == 503 and "Retry-After" not in response:
        response["Retry-After"] = "5"
    return response


def build(kind: ProblemType, *, detail: str = "", **extra: Any) -> dict[str, Any]:
    standard = {"type": kind.uri, "title": kind.title, "status": kind.status}
    return {**standard, "detail": detail or kind.advice, **extra}


def answer(name: str) -> JsonResponse:
    """Outside of DRF's views."""
    kind = TYPES[name]
    return JsonResponse(build(kind), status=kind.status, content_type=MEDIA_TYPE)


def _to_problem(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flatten(error.get_full_details(), ()))
        return Problem("invalid-request", _tell(errors), errors=errors)
    for known, name in _KNOWN:
        if isinstance(error, known):
            own = str(error.detail) if isinstance(error, exceptions.APIException) else ""
            if name in BETTER_ADVICE:
                own = ""
            elif name in MORE_ADVICE:
                own = f"{own} {TYPES[name].advice}"
            return Problem(name, own)
    return Problem("unavailable") if is_conflict(error) else None


def _tell(errors: Sequence[Mapping[str, str]]) -> str:
    """What is wrong with which field, for those who show `detail` alone."""
    told = [": ".join(filter(None, (each["field"], each["detail"]))) for each in errors[:TOLD]]
    if len(errors) > TOLD:
        told.append(f"`errors` has {len(errors) - TOLD} more.")
    return " ".join(told)


def _flatten(details: Any, path: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """{"crop": {"left": [{"message", "code"}]}} → crop.left, with what is wrong about it."""
    if _is_leaf(details):
        yield {
            "field": _make_visible(".".join(path)),
            "code": str(details["code"]),
            "detail": _make_visible(str(details["message"])),
        }
    elif isinstance(details, Mapping):
        for name, inner in details.items():
            yield from _flatten(inner, path if name == NON_FIELD else (*path, str(name)))
    else:
        for number, inner in enumerate(details):
            yield from _flatten(inner, path if _is_leaf(inner) else (*path, str(number)))


def _make_visible(text: str) -> str:
    """JSON may name half a character, which no answer can hold."""
    return text.encode("utf-8", "replace").decode()


def _is_leaf(details: Any) -> bool:
    # Fields may have these names too; what they hold is no text.
    return isinstance(details, Mapping) and isinstance(details.get("message"), str)
