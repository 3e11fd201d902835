"""An import's work, in parts that a job does one after the other.

Each part commits a few rows together with the place where it stands, so that whoever takes over
after a crash goes on there: nothing is lost and nothing is done twice. Memory holds one chunk.
"""

from collections.abc import Callable, Collection, Generator
from contextlib import closing
from datetime import datetime
from itertools import islice

from django.db import transaction
from django.utils.translation import gettext as _

from retrieval.importing import progress, zip_photos
from retrieval.importing.cells import ParsedRow, Problem, parse_row
from retrieval.importing.sources import Source, open_source
from retrieval.importing.tables import Row, read_rows
from retrieval.importing.writing import Target, apply_rows
from retrieval.models import CatalogueImport

CHUNK = 100


def run_part(run: CatalogueImport, *, clock: Callable[[], datetime], until: datetime) -> bool:
    """Work until the import is finished or the time is; True where more is to do.

    Raises TakenOver and TableUnreadable.
    """
    with open_source(run) as source:
        # Closed before the file is, also when the time is over.
        with closing(_read_chunks(run, source)) as chunks:
            for chunk, seen in chunks:
                _finish_rows(run, source, chunk, seen, now=clock())
                if clock() >= until:
                    return True
        if source.contents and run.state == CatalogueImport.State.CHECKING:
            zip_photos.check_photos(run, source.contents)
        elif source.contents:
            if not run.photos_done:
                zip_photos.refuse_unsafe(run, source.contents)
            for found in zip_photos.read_photos(run, source):
                zip_photos.finish_photos(run, source, found, now=clock())
                if clock() >= until:
                    return True
    return False


def _read_chunks(
    run: CatalogueImport, source: Source
) -> Generator[tuple[list[Row], dict[int, int]], None, None]:
    """The rows that are still to do, and where each product id was first seen (by its hash)."""
    if source.table is None:
        return
    rows = read_rows(
        source.table,
        kind=run.table_kind,
        encoding=run.encoding,
        delimiter=run.delimiter,
        columns=[column["name"] for column in run.columns],
    )
    (column,) = run.column_of["external_id"]
    seen: dict[int, int] = {}
    for row in islice(rows, run.rows_done):
        if not row.error and column < len(row.cells):
            seen.setdefault(hash(row.cells[column]), row.number)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk, seen


@transaction.atomic
def _finish_rows(
    run: CatalogueImport, source: Source, chunk: list[Row], seen: dict[int, int], *, now: datetime
) -> None:
    """Check or import a few rows and move the place on, all or nothing."""
    progress.lock(run)
    problems: list[tuple[int, Problem]] = []
    good: list[ParsedRow] = []
    names = frozenset(source.photos)
    for row in chunk:
        parsed = _parse(run, row, names, seen)
        problems += [(row.number, problem) for problem in parsed.problems]
        good += [] if parsed.problems else [parsed]
    dry = run.state == CatalogueImport.State.CHECKING
    target = Target(run.tenant_id, run.store_id, run)
    outcome = apply_rows(target=target, rows=good, dry=dry, now=now)
    progress.note_problems(run, problems)
    progress.move_on(
        run,
        rows_done=len(chunk),
        created=outcome.created,
        changed=outcome.changed,
        unchanged=outcome.unchanged,
        refused=len(chunk) - len(good),
    )


def _parse(
    run: CatalogueImport, row: Row, names: Collection[str], seen: dict[int, int]
) -> ParsedRow:
    if row.error:
        return ParsedRow(row.number, problems=[Problem("", "", row.error)])
    parsed = parse_row(
        row.number, row.cells, column_of=run.column_of, currency=run.currency, archive=names
    )
    if parsed.external_id:
        (column,) = run.column_of["external_id"]
        first = seen.setdefault(hash(row.cells[column]), row.number)
        if first != row.number:
            parsed.problems.append(
                Problem(
                    "external_id",
                    parsed.external_id[:200],
                    _("Row %d has the same product id. Keep one of the two.") % first,
                )
            )
    return parsed
