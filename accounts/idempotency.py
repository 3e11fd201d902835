"""POSTs that are sent again have one effect and one answer.

The row of the unique (caller, key) decides who works: the first inserts it, a twin finds it and is
told to come back, a later repetition gets the stored answer. A process that died is waited for
until its lock ends. What failed has had no effect and is forgotten, so that it can be tried again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db.models import QuerySet

from accounts.models import IdempotentRequest, Tenant

KEEP = timedelta(hours=48)
# Longer than any request takes: an address is asked for 15 s, a result waited for 60 s.
# So long whoever repeats a request is told to wait when its process died.
LOCK = timedelta(minutes=2)
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
    """One query, where a dead process's request is taken over two. Raises StillWorking and
    OtherRequest."""
    worker = uuid4()
    # Its unique constraint lets one of several at once in; the others get that one's row.
    (row,) = IdempotentRequest.objects.raw(
        """
        INSERT INTO accounts_idempotentrequest
            (tenant_id, caller, key, fingerprint, worker, locked_until, headers, body, created_at)
        VALUES (%s, %s, %s, %s, %s, %s, '{}', '', %s)
        ON CONFLICT (caller, key) DO UPDATE SET key = excluded.key
        RETURNING *
        """,
        [tenant.id, caller, key, fingerprint, worker, now + LOCK, now],
    )
    if row.fingerprint != fingerprint:
        raise OtherRequest
    if row.status is not None:
        return Turn(row.pk, worker, Answer(row.status, row.headers, bytes(row.body)))
    if row.worker != worker:
        _take_over(row, worker=worker, now=now)
    return Turn(row.pk, worker, None)


def finish(*, turn: Turn, answer: Answer, about: UUID | None) -> None:
    _rows_of(turn).update(
        status=answer.status, headers=dict(answer.headers), body=answer.body, about=about
    )


def forget(*, turn: Turn) -> None:
    """The request failed without an effect."""
    _rows_of(turn).delete()


def forget_about(*, tenant: Tenant, about: Sequence[UUID]) -> None:
    """Answers about what is deleted; their requests are as if they had never been made."""
    IdempotentRequest.objects.filter(tenant=tenant, about__in=about).delete()


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
