"""An import from its upload to its end; the work itself is in `importing`."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import IO
from uuid import UUID, uuid4

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import Error as DatabaseError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import Tenant, User
from annotations.files import ORPHAN_AGE, StorageAway, remove_files
from annotations.photos import clean_name
from retrieval import jobs
from retrieval.importing import archives, columns, tables
from retrieval.importing.progress import TakenOver
from retrieval.importing.running import run_part
from retrieval.importing.tables import TableUnreadable
from retrieval.models import CatalogueImport, ImportProblem

logger = logging.getLogger(__name__)

State = CatalogueImport.State
ENDED = (State.DONE, State.FAILED, State.CANCELLED)
AWAY = (DatabaseError, StorageAway, OSError, BotoCoreError, ClientError)
# A part of the work, so that a long import takes turns with other jobs and ends soon when asked.
PART = timedelta(seconds=5)
# Who uploads a file and never starts its import loses the file, nothing else.
FORGOTTEN_AFTER = timedelta(days=7)
_FOLDER = "imports"
_KINDS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_COUNTERS = (
    "rows_done", "photos_done", "created", "changed", "unchanged", "refused", "photos_added",
    "photos_refused",
)  # fmt: skip


class ImportRefused(ValueError):
    """The file or what was said about it can't be used; the message says what to do."""


class WrongState(Exception):
    """The import is further on, or has ended."""


def begin_import(
    *,
    tenant: Tenant,
    upload: "File[bytes]",
    requested_by: User | None,
    now: datetime,
    store_id: UUID | None = None,
) -> CatalogueImport:
    """Keep the file and read its columns; a ZIP of photos alone is checked at once.

    Raises ImportRefused.
    """
    name = clean_name(upload.name)
    kind = _find_kind(name, upload)
    run = CatalogueImport(
        id=uuid4(),
        tenant=tenant,
        store_id=store_id,
        name=name,
        kind=kind,
        bytes=upload.size,
        requested_by=requested_by,
        created_at=now,
    )
    try:
        _read_table(run, upload)
    except TableUnreadable as error:
        raise ImportRefused(str(error)) from error
    # The file first: a row without its file would be an import that can't run.
    run.file.name = default_storage.save(f"{_FOLDER}/{tenant.id}/{run.id}.{kind}", upload)
    try:
        with transaction.atomic():
            run.save()
            if not run.columns:
                _start(run, State.CHECKING)
    except BaseException:
        remove_files([str(run.file.name)])
        raise
    return run


@transaction.atomic
def check_import(
    *, tenant: Tenant, import_id: UUID, mapping: Sequence[str], currency: str
) -> CatalogueImport:
    """Say what the columns mean and have the file checked, without changing a product.

    Raises CatalogueImport.DoesNotExist, WrongState and ImportRefused.
    """
    run = _get(tenant, import_id, State.MAPPING, State.CHECKED)
    known = [field if field in columns.FIELDS else "" for field in mapping]
    if len(known) != len(run.columns):
        raise WrongState
    if wrong := columns.check_mapping(known):
        raise ImportRefused(wrong)
    run.mapping, run.currency = known, currency
    ImportProblem.objects.filter(catalogue_import=run).delete()
    _start(run, State.CHECKING)
    return run


@transaction.atomic
def start_import(*, tenant: Tenant, import_id: UUID) -> CatalogueImport:
    """Import what was checked. Raises CatalogueImport.DoesNotExist and WrongState."""
    run = _get(tenant, import_id, State.CHECKED)
    ImportProblem.objects.filter(catalogue_import=run).delete()
    _start(run, State.RUNNING)
    return run


@transaction.atomic
def cancel_import(*, tenant: Tenant, import_id: UUID, now: datetime) -> CatalogueImport:
    """Stop; what is imported stays. Raises CatalogueImport.DoesNotExist and WrongState."""
    run = _get(tenant, import_id, State.MAPPING, State.CHECKING, State.CHECKED, State.RUNNING)
    _end(run, State.CANCELLED, now=now)
    return run


def run_import(*, import_id: UUID, clock: Callable[[], datetime]) -> None:
    """One part of a check or an import, and the job of the next part where there is one.

    Nothing is done for an import that has ended or is gone. Raises one of AWAY to run again.
    """
    runs = CatalogueImport.objects.select_related("tenant", "requested_by")
    run = runs.filter(id=import_id, state__in=[State.CHECKING, State.RUNNING]).first()
    if run is None:
        return
    user = run.requested_by
    with translation.override((user.language if user else "") or settings.LANGUAGE_CODE):
        try:
            if run_part(run, clock=clock, until=clock() + PART):
                jobs.defer_import(run)
            else:
                _finish(run, now=clock())
        except TakenOver:
            logger.info("Import %s is done by somebody else, or was cancelled", run.id)
        except TableUnreadable as error:
            fail_import(run=run, reason=str(error), now=clock())
        except FileNotFoundError:
            reason = _("The file is gone. Upload it again.")
            fail_import(run=run, reason=reason, now=clock())
        except AWAY:
            raise
        except Exception:
            # A defect: the job ends here, and its page must not wait for ever.
            fail_import(run=run, reason=_("Something broke on our side"), now=clock())
            raise


@transaction.atomic
def fail_import(*, run: CatalogueImport, reason: str, now: datetime) -> None:
    run.error = reason[:300]
    _end(run, State.FAILED, now=now)


def forget_old_imports(*, now: datetime) -> int:
    """Cancel what nobody has started; return how many."""
    waiting = CatalogueImport.objects.filter(
        state__in=[State.MAPPING, State.CHECKED], created_at__lt=now - FORGOTTEN_AFTER
    ).select_related("tenant")
    forgotten = 0
    for run in waiting:
        try:
            cancel_import(tenant=run.tenant, import_id=run.id, now=now)
        except (CatalogueImport.DoesNotExist, WrongState):
            continue
        forgotten += 1
    return forgotten


def sweep_files(*, now: datetime) -> int:
    """Remove uploads that no import is going to read, older than any request that may be bringing
    its row; return how many. An upload's transaction may have failed, a shop may be gone."""
    removed = 0
    for shop in _list_folder(_FOLDER)[0]:
        names = [f"{_FOLDER}/{shop}/{name}" for name in _list_folder(f"{_FOLDER}/{shop}")[1]]
        unended = CatalogueImport.objects.exclude(state__in=ENDED)
        read = set(unended.filter(file__in=names).values_list("file", flat=True))
        lost = [name for name in names if name not in read and _is_old(name, now=now)]
        remove_files(lost)
        removed += len(lost)
    return removed


def _list_folder(name: str) -> tuple[list[str], list[str]]:
    try:
        return default_storage.listdir(name)
    except FileNotFoundError:  # nothing was uploaded yet
        return [], []


def _is_old(name: str, *, now: datetime) -> bool:
    try:
        return default_storage.get_modified_time(name) < now - ORPHAN_AGE
    except FileNotFoundError:  # its import ended meanwhile
        return False


def _get(tenant: Tenant, import_id: UUID, *states: State) -> CatalogueImport:
    """Locked. Raises CatalogueImport.DoesNotExist and WrongState."""
    runs = CatalogueImport.objects.for_tenant(tenant).select_for_update(of=("self",))
    run = runs.get(id=import_id)
    if run.state not in states:
        raise WrongState
    return run


def _start(run: CatalogueImport, state: State) -> None:
    """From the first row; in a transaction with the job."""
    for name in _COUNTERS:
        setattr(run, name, 0)
    run.state = state
    if state == State.CHECKING:
        run.rows_total = None
    run.save()
    jobs.defer_import(run)


def _finish(run: CatalogueImport, *, now: datetime) -> None:
    with transaction.atomic():
        fresh = CatalogueImport.objects.select_for_update(of=("self",)).get(id=run.id)
        if (fresh.state, fresh.rows_done, fresh.photos_done) != (
            run.state,
            run.rows_done,
            run.photos_done,
        ):
            raise TakenOver
        if fresh.state == State.RUNNING:
            _end(fresh, State.DONE, now=now)
            return
        fresh.state, fresh.rows_total = State.CHECKED, fresh.rows_done
        fresh.save(update_fields=["state", "rows_total"])


def _end(run: CatalogueImport, state: State, *, now: datetime) -> None:
    run.state, run.finished_at = state, now
    run.save(update_fields=["state", "finished_at", "error"])
    transaction.on_commit(partial(remove_files, [str(run.file.name)]))


def _find_kind(name: str, upload: "File[bytes]") -> str:
    """By content where that says it, else by name. Raises ImportRefused."""
    if upload.size > settings.REQUEST_MAX_BYTES:
        limit = settings.REQUEST_MAX_BYTES // 1024**2
        raise ImportRefused(_("The file is larger than %d MB. Split it.") % limit)
    start = upload.read(4)
    upload.seek(0)
    if not start:
        raise ImportRefused(_("The file is empty."))
    if start.startswith(b"PK\x03\x04"):
        if name.lower().endswith((".xlsx", ".ods")):
            raise ImportRefused(_("Save the spreadsheet as CSV UTF-8, then upload that."))
        return "zip"
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    if ending in _KINDS:
        return _KINDS[ending]
    raise ImportRefused(_("Upload a CSV, NDJSON or ZIP file."))


def _read_table(run: CatalogueImport, upload: "IO[bytes] | File[bytes]") -> None:
    """Set kind, encoding and columns of the table on the object. Raises TableUnreadable."""
    run.table_kind = "" if run.kind == "zip" else run.kind
    if run.kind == "zip":
        contents = archives.read_contents(upload)
        run.table, run.table_kind = contents.table[:500], contents.table_kind
        run.photos_total = len(contents.photos)
    if run.kind == "zip" and not run.table:
        upload.seek(0)
        return
    with archives.spooled_table(upload, run.table) as table:
        run.encoding = tables.find_encoding(table)
        run.delimiter = (
            tables.find_delimiter(table, encoding=run.encoding) if run.table_kind == "csv" else ""
        )
        table.seek(0)
        found = tables.read_columns(
            table, kind=run.table_kind, encoding=run.encoding, delimiter=run.delimiter
        )
    upload.seek(0)
    run.columns = [{"name": each.name, "samples": list(each.samples)} for each in found]
    run.mapping = columns.guess_mapping([each.name for each in found])
