"""POSTs that are sent again have one effect and one answer.

The row of the unique (caller, key) decides who works: the first inserts it, a twin finds it and is
told to come back, a later repetition gets the stored answer. A process that died is waited for
until its lock ends. What failed has had no effect and is forgotten, so that it can be tried again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db.models import QuerySet

from accounts.models import IdempotentRequest, Tenant

KEEP = timedelta(hours=48)
LOCK = timedelta(seconds=90)
LONGEST_KEY = 255


class StillWorking(Exception):
    """A request with this key is being answered at the moment."""


class OtherRequest(Exception):
    """The key came with another request before."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Turn:
    """Either the answer that was given before, or the row to answer."""

    request_id: int
    worker: UUID
    answer: Answer | None


def begin(*, tenant: Tenant, caller: str, key: str, fingerprint: str, now: datetime) -> Turn:
    """Raises StillWorking and OtherRequest."""
    IdempotentRequest.objects.filter(caller=caller, key=key, created_at__lt=now - KEEP).delete()
    worker = uuid4()
    mine = IdempotentRequest(
        tenant=tenant,
        caller=caller,
        key=key,
        fingerprint=fingerprint,
        worker=worker,
        locked_until=now + LOCK,
        created_at=now,
    )
    # Its unique constraint lets one of several at once in.
    IdempotentRequest.objects.bulk_create([mine], ignore_conflicts=True)
    row = IdempotentRequest.objects.filter(caller=caller, key=key).first()
    if row is None:  # failed this very moment
        raise StillWorking
    if row.fingerprint != fingerprint:
        raise OtherRequest
    if row.status is not None:
        return Turn(row.pk, worker, Answer(row.status, row.headers, bytes(row.body)))
    if row.worker != worker:
        _take_over(row, worker=worker, now=now)
    return Turn(row.pk, worker, None)


def finish(*, turn: Turn, answer: Answer) -> None:
    _rows_of(turn).update(status=answer.status, headers=dict(answer.headers), body=answer.body)


def forget(*, turn: Turn) -> None:
    """The request failed without an effect."""
    _rows_of(turn).delete()


def remove_old(*, now: datetime) -> int:
    """Return how many."""
    deleted, _by_model = IdempotentRequest.objects.filter(created_at__lt=now - KEEP).delete()
    return deleted


def _take_over(row: IdempotentRequest, *, worker: UUID, now: datetime) -> None:
    """Of several that find a dead process's row one goes on; raises StillWorking."""
    dead = IdempotentRequest.objects.filter(id=row.pk, status=None, locked_until__lt=now)
    if not dead.update(worker=worker, locked_until=now + LOCK):
        raise StillWorking


def _rows_of(turn: Turn) -> QuerySet[IdempotentRequest]:
    """Its row, unless another worker took it over."""
    return IdempotentRequest.objects.filter(id=turn.request_id, worker=turn.worker, status=None)
