"""Sending a message: one attempt, what is noted of it, and when the next one is due.

At least once: an attempt whose end could not be noted is made again, with the same id. Whoever
writes here locks the endpoint before its deliveries. Each endpoint has a lane of its own, where
messages go one after another: who answers slowly, or not at all, holds up nobody else.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Min, OuterRef

from integrations import endpoints, jobs, signatures
from integrations.models import (
    SECRET_UNREADABLE,
    TEST_EVENT,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryQuerySet,
    WebhookEndpoint,
    WebhookMessage,
)
from kalas.lib import crypto, safe_http
from kalas.lib.request_failures import RequestFailed

# Three days in all. Each is spread by a fifth, so that what failed together does not come back
# together.
WAITS_S = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200, 72000, 86400)
SPREAD = 0.2
LONGEST_RETRY_AFTER = timedelta(days=1)
# An endpoint that failed so long without a success in between is asked no more.
PAUSE_AFTER = timedelta(days=3)
# After failures in a row nothing else is sent for 2, 4, 8 … seconds, up to:
LONGEST_QUIET_S = 300
# A job may come this much before its time: the clocks of two machines.
SLACK = timedelta(seconds=2)
# After it the others have their turn, where many endpoints get much.
TURN_S = 5.0
# So much longer than a request may take nobody else sends the same.
MARGIN = timedelta(seconds=15)
KEEP = timedelta(days=30)
# Of messages that are deleted in one transaction.
CHUNK = 1000

LONGEST_BODY = 4096
LONGEST_HEADER = 200
SHOWN_HEADERS = frozenset(
    {"content-type", "content-length", "date", "location", "retry-after", "server", "x-request-id"}
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back, or the code of what went wrong instead."""

    duration_ms: int
    status: int | None = None
    error: str = ""
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""
    retry_after: timedelta = timedelta(0)

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def send_due(*, endpoint_id: UUID, clock: Callable[[], datetime]) -> None:
    """Send what is due to an endpoint, one after another; its job comes again for the rest.

    While it is quiet after a failure nothing but tests is sent, so that one message asks for all
    whether it is back.
    """
    end = time.monotonic() + TURN_S
    while time.monotonic() < end:
        now = clock()
        delivery = _claim_next(endpoint_id, now=now)
        if delivery is None:
            break
        outcome = _send(delivery, now=now)
        _record(
            delivery, outcome, started_at=now, now=now + timedelta(milliseconds=outcome.duration_ms)
        )
    _plan(endpoint_id, now=clock())


def wake_sleepers(*, now: datetime) -> None:
    """Wake the lanes of what is overdue; also of what was held back just as its endpoint was
    switched on."""
    held = WebhookDelivery.objects.filter(
        state=WebhookDelivery.State.HELD, endpoint__state=WebhookEndpoint.State.ACTIVE
    )
    held.update(state=WebhookDelivery.State.WAITING, next_attempt_at=now, tries=0)
    overdue = WebhookDelivery.objects.waiting().filter(next_attempt_at__lte=now)
    asleep = WebhookEndpoint.objects.filter(Exists(overdue.filter(endpoint=OuterRef("id"))))
    for endpoint in asleep.only("id", "quiet_until"):
        jobs.wake_endpoint(endpoint.id, at=max(now, endpoint.quiet_until or now))


def forget_old(*, now: datetime) -> int:
    """Delete messages with all that was noted of them; return how many."""
    deleted = 0
    while True:
        old = WebhookMessage.objects.filter(created_at__lt=now - KEEP).order_by("created_at")
        ids = list(old.values_list("id", flat=True)[:CHUNK])
        if not ids:
            return deleted
        with transaction.atomic():
            WebhookMessage.objects.filter(id__in=ids).delete()
        deleted += len(ids)


@transaction.atomic
def _claim_next(endpoint_id: UUID, *, now: datetime) -> WebhookDelivery | None:
    """What is due for longest. Its time moves on, so that nobody else sends it meanwhile, and so
    that one whose attempt ends in a defect stands in nobody's way."""
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(id=endpoint_id).first()
    if endpoint is None:
        return None
    if not endpoint.is_active:
        # Such as were written just as it was switched off.
        _others_of(endpoint).update(state=WebhookDelivery.State.HELD, next_attempt_at=None)
    may_get = _tests_of if not endpoint.is_active or endpoint.is_quiet(now) else _waiting_of
    due = may_get(endpoint).filter(next_attempt_at__lte=now + SLACK)
    delivery = due.select_related("message").order_by("next_attempt_at", "id").first()
    if delivery is not None:
        delivery.endpoint = endpoint
        delivery.next_attempt_at = now + timedelta(seconds=settings.OUTBOUND_DEADLINE_S) + MARGIN
        delivery.save(update_fields=["next_attempt_at"])
    return delivery


def _plan(endpoint_id: UUID, *, now: datetime) -> None:
    """Have the lane's job run again when something of it is due."""
    endpoint = WebhookEndpoint.objects.filter(id=endpoint_id).first()
    if endpoint is None:
        return
    quiet_until = endpoint.quiet_until or now
    times = [(_tests_of(endpoint), now), (_others_of(endpoint), max(now, quiet_until))]
    for waiting, earliest in times:
        due = waiting.aggregate(due=Min("next_attempt_at"))["due"]
        if due is not None:
            jobs.wake_endpoint(endpoint_id, at=max(due, earliest))


def _waiting_of(endpoint: WebhookEndpoint) -> WebhookDeliveryQuerySet:
    return WebhookDelivery.objects.waiting().filter(endpoint=endpoint)


def _tests_of(endpoint: WebhookEndpoint) -> WebhookDeliveryQuerySet:
    return _waiting_of(endpoint).filter(message__event=TEST_EVENT)


def _others_of(endpoint: WebhookEndpoint) -> WebhookDeliveryQuerySet:
    return _waiting_of(endpoint).exclude(message__event=TEST_EVENT)


def _send(delivery: WebhookDelivery, *, now: datetime) -> Outcome:
    started = time.monotonic()
    body = delivery.message.body.encode()
    try:
        secrets = endpoints.read_secrets(delivery.endpoint, now=now)
    except crypto.Unreadable:
        return Outcome(duration_ms=0, error=SECRET_UNREADABLE)
    signed = signatures.build_headers(
        message=delivery.message.name,
        timestamp=int(datetime.now(UTC).timestamp()),
        body=body,
        secrets=secrets,
    )
    headers = {"Content-Type": "application/json", **signed}
    shown = {**headers, "webhook-signature": " ".join("v1,…" for _ in secrets)}
    try:
        answer = safe_http.send(
            method="POST",
            url=delivery.endpoint.url,
            policy=safe_http.read_policy(max_bytes=LONGEST_BODY, when_too_large="cut"),
            headers=headers,
            body=body,
        )
    except RequestFailed as error:
        return Outcome(_passed_ms(started), error=error.code, request_headers=shown)
    return Outcome(
        _passed_ms(started),
        status=answer.status,
        request_headers=shown,
        response_headers={
            name.lower(): value[:LONGEST_HEADER]
            for name, value in answer.headers
            if name.lower() in SHOWN_HEADERS
        },
        # PostgreSQL stores no NUL in a text.
        response_body=answer.body.decode("utf-8", "replace").replace("\0", "\ufffd"),
        retry_after=parse_retry_after(answer.header("retry-after"), now=now),
    )


def parse_retry_after(value: str, *, now: datetime) -> timedelta:
    """Seconds or a date; nothing for anything else, and never more than a day."""
    try:
        wait = (
            timedelta(seconds=min(int(value), 10**9))
            if value.strip().isdecimal()
            else parsedate_to_datetime(value).astimezone(UTC) - now
        )
    except (ValueError, TypeError, OverflowError):
        return timedelta(0)
    return max(timedelta(0), min(wait, LONGEST_RETRY_AFTER))


@transaction.atomic
def _record(
    delivery: WebhookDelivery, outcome: Outcome, *, started_at: datetime, now: datetime
) -> None:
    """Note the attempt; nothing if the delivery or its endpoint was deleted meanwhile."""
    endpoint = (
        WebhookEndpoint.objects.select_for_update(no_key=True)
        .filter(id=delivery.endpoint_id)
        .first()
    )
    current = (
        WebhookDelivery.objects.select_for_update(of=("self",), no_key=True)
        .select_related("message")
        .filter(id=delivery.id)
        .first()
    )
    if endpoint is None or current is None:
        return
    _note(current, outcome, started_at=started_at)
    if outcome.taken:
        _finish(current, WebhookDelivery.State.DELIVERED, now=now)
        _settle(endpoint)
    elif current.is_test:
        _finish(current, WebhookDelivery.State.FAILED, now=now)
    elif current.is_waiting:
        _fail(current, endpoint, outcome, now=now)


def _note(delivery: WebhookDelivery, outcome: Outcome, *, started_at: datetime) -> None:
    delivery.attempts += 1
    delivery.tries += 1
    delivery.save(update_fields=["attempts", "tries"])
    WebhookAttempt.objects.create(
        tenant_id=delivery.tenant_id,
        delivery=delivery,
        number=delivery.attempts,
        started_at=started_at,
        duration_ms=outcome.duration_ms,
        status=outcome.status,
        error=outcome.error,
        request_headers=outcome.request_headers,
        response_headers=outcome.response_headers,
        response_body=outcome.response_body,
    )


def _settle(endpoint: WebhookEndpoint) -> None:
    """A message was taken: earlier failures count no more."""
    if endpoint.failures or endpoint.quiet_until:
        endpoint.failures, endpoint.failing_since, endpoint.quiet_until = 0, None, None
        endpoint.save(update_fields=["failures", "failing_since", "quiet_until"])


def _fail(
    delivery: WebhookDelivery, endpoint: WebhookEndpoint, outcome: Outcome, *, now: datetime
) -> None:
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    quiet_s = min(2.0 ** min(endpoint.failures, 10), LONGEST_QUIET_S)
    endpoint.quiet_until = now + max(timedelta(seconds=quiet_s), outcome.retry_after)
    endpoint.save(update_fields=["failures", "failing_since", "quiet_until"])
    if delivery.tries > len(WAITS_S):
        _finish(delivery, WebhookDelivery.State.FAILED, now=now)
    else:
        wait_s = WAITS_S[delivery.tries - 1] * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311
        wait = max(timedelta(seconds=wait_s), outcome.retry_after)
        delivery.next_attempt_at = now + wait
        delivery.save(update_fields=["next_attempt_at"])
    if outcome.status == 410:
        _pause(endpoint, WebhookEndpoint.PauseReason.GONE, now=now)
    elif now - endpoint.failing_since >= PAUSE_AFTER:
        _pause(endpoint, WebhookEndpoint.PauseReason.FAILING, now=now)
    elif not endpoint.is_active:
        endpoints.hold_back(endpoint)


def _pause(
    endpoint: WebhookEndpoint, reason: WebhookEndpoint.PauseReason, *, now: datetime
) -> None:
    """Hold everything back and tell the owners; once, and not where a person switched it off."""
    if endpoint.is_active:
        endpoint.state, endpoint.pause_reason = WebhookEndpoint.State.PAUSED, reason
        endpoint.paused_at = now
        endpoint.save(update_fields=["state", "pause_reason", "paused_at"])
        jobs.defer_pause_notice(endpoint)
    endpoints.hold_back(endpoint)


def _finish(delivery: WebhookDelivery, state: WebhookDelivery.State, *, now: datetime) -> None:
    delivery.state, delivery.next_attempt_at, delivery.finished_at = state, None, now
    delivery.save(update_fields=["state", "next_attempt_at", "finished_at"])


def _passed_ms(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
