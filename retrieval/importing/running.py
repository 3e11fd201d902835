"""An import's work, in parts that a job does one after the other.

Each part commits a few rows together with the place where it stands, so that whoever takes over
after a crash goes on there: nothing is lost and nothing is done twice. Memory holds one chunk.
"""

import zipfile
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import IO

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts import usage
from annotations.models import FashionImage
from annotations.photos import Photo, PhotoRefused, clean_name, too_large
from retrieval.auditing.measures import Measures
from retrieval.importing import archives
from retrieval.importing.cells import ParsedRow, Problem, parse_row
from retrieval.importing.tables import Row, read_rows
from retrieval.importing.writing import Target, apply_rows, find_or_create, find_or_create_all
from retrieval.models import CatalogueImport, ImportProblem, Product, ProductImage
from retrieval.services import photos as photo_services
from retrieval.services.fetching import describe_quota

CHUNK = 100
# Of an archive; held in memory until they are stored.
PHOTOS_AT_ONCE = 8
BYTES_AT_ONCE = 8_000_000
# More would help nobody: the page shows so many, and the first ones explain the others.
MOST_PROBLEMS = 1000


class TakenOver(Exception):
    """Somebody else works on the import, or it was cancelled."""


class NotTogether(Exception):
    """A photo's product may not be made here, or was merged into another."""


@dataclass(frozen=True, slots=True)
class Source:
    """The uploaded file; `archive` and `contents` only of a ZIP."""

    table: IO[bytes] | None
    archive: zipfile.ZipFile | None
    contents: archives.Contents | None

    @property
    def photos(self) -> tuple[str, ...]:
        return self.contents.photos if self.contents else ()


@dataclass(frozen=True, slots=True)
class Found:
    """A photo of the archive and the id of its product by its name, or why it is refused."""

    name: str
    key: str
    photo: Photo | None
    measures: Measures | None = None
    refused: str = ""


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
            _check_photos(run, source.contents)
        elif source.contents:
            if not run.photos_done:
                _refuse_unsafe(run, source.contents)
            for found in _read_photos(run, source):
                _finish_photos(run, source, found, now=clock())
                if clock() >= until:
                    return True
    return False


@contextmanager
def open_source(run: CatalogueImport) -> Iterator[Source]:
    """Raises TableUnreadable and FileNotFoundError."""
    with default_storage.open(str(run.file.name), "rb") as file:
        if run.kind != CatalogueImport.Kind.ZIP:
            yield Source(file, None, None)
            return
        contents = archives.read_contents(file)
        with zipfile.ZipFile(file) as archive:
            if not contents.table:
                yield Source(None, archive, contents)
                return
            with archives.open_table(archive, contents.table) as table:
                yield Source(table, archive, contents)


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
    _lock(run)
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
    _note_problems(run, problems)
    _move_on(
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


@transaction.atomic
def _check_photos(run: CatalogueImport, contents: archives.Contents) -> None:
    """What the photos of the archive would do; they are decoded only when they are imported.

    The numbers are set, not added, as this may run again.
    """
    _refuse_unsafe(run, contents)
    _note_problems(
        run,
        [(0, Problem("images", name, too_large().detail)) for name in sorted(contents.too_large)],
    )
    run.photos_refused += len(contents.too_large)
    run.photos_total = len(contents.photos)
    if not contents.table:
        named = archives.name_products(contents.photos)
        keys = {key for name, key in named if name not in contents.too_large}
        known = Product.objects.filter(tenant_id=run.tenant_id, store_id=run.store_id)
        run.unchanged = known.filter(external_id__in=keys).count()
        run.created = len(keys) - run.unchanged
    run.save(update_fields=["photos_total", "photos_refused", "unchanged", "created"])


@transaction.atomic
def _refuse_unsafe(run: CatalogueImport, contents: archives.Contents) -> None:
    """What of the archive is not read. The number is set, not added, as this may run again."""
    _lock(run)
    detail = _(
        "Left out: its name leads out of the ZIP or is too long, or it has a password or is not"
        " packed by deflate."
    )
    _note_problems(run, [(0, Problem("images", name, detail)) for name in contents.unsafe])
    run.photos_refused = len(contents.unsafe)
    run.save(update_fields=["photos_refused"])


def _read_photos(run: CatalogueImport, source: Source) -> Iterator[list[Found]]:
    """The photos that are still to do, a few at a time, decoded: that takes longest, and must not
    keep a transaction open."""
    assert source.archive is not None  # noqa: S101 - only of a ZIP
    found: list[Found] = []
    for name, key in islice(archives.name_products(source.photos), run.photos_done, None):
        try:
            data = archives.read_photo(source.archive, name)
            found.append(Found(name, key, *photo_services.check_and_measure(data)))
        except PhotoRefused as error:
            found.append(Found(name, key, None, refused=error.detail))
        size = sum(len(each.photo.data) for each in found if each.photo)
        if len(found) == PHOTOS_AT_ONCE or size > BYTES_AT_ONCE:
            yield found
            found = []
    if found:
        yield found


def _finish_photos(
    run: CatalogueImport, source: Source, found: list[Found], *, now: datetime
) -> None:
    """New photos of products go in together, which takes a tenth of the work; all else, and what
    does not go in together after all, one by one."""
    for are_new, part in _split(run, found):
        try:
            if are_new and _add_new_photos(run, source, part, now=now):
                continue
        except (
            IntegrityError,
            NotTogether,
            usage.QuotaUsedUp,
            photo_services.TooManyPhotos,
        ):
            pass
        for each in part:
            _finish_photo(run, source, each, now=now)


def _split(run: CatalogueImport, found: list[Found]) -> Iterator[tuple[bool, list[Found]]]:
    """In their order, as the place moves on: those in a row that the shop does not have yet, and
    those in a row that it has, or that are refused."""
    hashes = {each.photo.upload_sha256 for each in found if each.photo}
    same = FashionImage.objects.filter(tenant=run.tenant_id, upload_sha256__in=hashes)
    unseen = hashes - set(same.values_list("upload_sha256", flat=True))
    marked: list[tuple[bool, Found]] = []
    for each in found:
        is_new = each.photo is not None and each.photo.upload_sha256 in unseen
        marked.append((is_new, each))
        if each.photo:
            unseen.discard(each.photo.upload_sha256)
    for are_new, part in groupby(marked, key=itemgetter(0)):
        yield are_new, [each for _is_new, each in part]


@transaction.atomic
def _add_new_photos(
    run: CatalogueImport, source: Source, found: list[Found], *, now: datetime
) -> bool:
    """Import these, which the shop does not have yet, and move the place on, all or nothing; False
    where an earlier import brought one of them. Raises NotTogether."""
    _lock(run)
    names = [each.name for each in found]
    entries = list(ProductImage.objects.filter(tenant=run.tenant_id, source__in=names))
    waiting = {e.source: e for e in entries if e.catalogue_import_id == run.id and e.is_waiting}
    if len(waiting) < len(entries):
        return False
    created = 0

    def find_places() -> list[photo_services.Place]:
        nonlocal created
        targets = find_or_create_all(
            run=run,
            external_ids={each.key for each in found if each.name not in waiting},
            product_ids=[entry.product_id for entry in entries],
            may_create=not (source.contents and source.contents.table),
            now=now,
        )
        if targets is None:
            raise NotTogether
        product_of, created = targets
        return [
            photo_services.Place(entry.product_id if entry else product_of[each.key], entry)
            for each in found
            for entry in [waiting.get(each.name)]
        ]

    photo_services.add_new_photos(
        tenant=run.tenant,
        new=[
            photo_services.NewPhoto(each.photo, clean_name(each.name), each.measures)
            for each in found
            if each.photo and each.measures
        ],
        find_places=find_places,
        added_by=run.requested_by,
        now=now,
    )
    _move_on(run, photos_done=len(found), photos_added=len(found), created=created)
    return True


def _finish_photo(run: CatalogueImport, source: Source, found: Found, *, now: datetime) -> None:
    """Import one photo of the archive and move the place on, all or nothing."""
    name, photo = found.name, found.photo
    with transaction.atomic():
        _lock(run)
        if photo is None:
            for waiting in _waiting(run, name):
                photo_services.refuse_photo(waiting=waiting, reason=found.refused)
            _note_problems(run, [(0, Problem("images", name, found.refused))])
            _move_on(run, photos_done=1, photos_refused=1)
            return
        targets = _find_targets(run, source, name, found.key, now=now)
        if targets is None:
            detail = _("No row of the table names this photo or its product.")
            _note_problems(run, [(0, Problem("images", name, detail))])
            _move_on(run, photos_done=1, photos_refused=1)
            return
        added = 0
        try:
            # A savepoint: what the database refuses must not undo the place.
            with transaction.atomic():
                if targets:
                    linked = photo_services.add_photo_to(
                        tenant=run.tenant,
                        places=targets,
                        photo=photo,
                        name=clean_name(name),
                        added_by=run.requested_by,
                        now=now,
                        measures=found.measures,
                    )
                    added = sum(each is not None for each in linked)
        except (usage.QuotaUsedUp, photo_services.TooManyPhotos) as error:
            for place in targets:
                _refuse(run, name, place.waiting, error)
                _move_on(run, photos_refused=1)
        _move_on(run, photos_done=1, photos_added=added)


def _refuse(run: CatalogueImport, name: str, entry: ProductImage | None, error: Exception) -> None:
    if isinstance(error, usage.QuotaUsedUp):
        detail = describe_quota(error)
    else:
        detail = _("A product may have %d photos. Leave some out.") % photo_services.MOST_PHOTOS
    if entry is not None:
        photo_services.refuse_photo(waiting=entry, reason=detail)
    _note_problems(run, [(0, Problem("images", name, detail))])


def _waiting(run: CatalogueImport, name: str) -> list[ProductImage]:
    entries = run.photos.filter(source=name, state=ProductImage.State.WAITING)
    return list(entries.order_by("id"))


def _find_targets(
    run: CatalogueImport, source: Source, name: str, key: str, *, now: datetime
) -> list[photo_services.Place] | None:
    """The products that get the photo: those whose rows name it, else the one named like it.

    None where the table knows neither; empty where an earlier import did it already.
    """
    if waiting := _waiting(run, name):
        return [photo_services.Place(entry.product_id, entry) for entry in waiting]
    if ProductImage.objects.filter(tenant_id=run.tenant_id, source=name).exists():
        return []
    has_table = bool(source.contents and source.contents.table)
    product, created = find_or_create(run=run, external_id=key, may_create=not has_table, now=now)
    if product is None:
        return None
    if not has_table:
        _move_on(run, created=int(created))
    return [photo_services.Place(product.id)]


def _note_problems(run: CatalogueImport, problems: Collection[tuple[int, Problem]]) -> None:
    """The first thousand are kept; all are counted by the caller."""
    if not problems:
        return
    room = MOST_PROBLEMS - ImportProblem.objects.filter(catalogue_import=run).count()
    ImportProblem.objects.bulk_create(
        [
            ImportProblem(
                tenant_id=run.tenant_id,
                catalogue_import=run,
                row=number,
                field=problem.field,
                value=problem.value[:200],
                detail=problem.detail[:300],
            )
            for number, problem in list(problems)[: max(room, 0)]
        ],
        ignore_conflicts=True,
    )


def _lock(run: CatalogueImport) -> None:
    """Raises TakenOver where the row is no longer as this part left it."""
    locked = CatalogueImport.objects.select_for_update(of=("self",)).filter(id=run.id).first()
    here = (run.state, run.rows_done, run.photos_done)
    if locked is None or (locked.state, locked.rows_done, locked.photos_done) != here:
        raise TakenOver


def _move_on(run: CatalogueImport, **numbers: int) -> None:
    """Add to the counters, in the row and in this object; the row is locked."""
    CatalogueImport.objects.filter(id=run.id).update(
        **{name: F(name) + number for name, number in numbers.items()}
    )
    for name, number in numbers.items():
        setattr(run, name, getattr(run, name) + number)
