"""A ZIP of photos, with a table or without. Nothing is ever unpacked to a path of its own."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from django.conf import settings
from django.utils.translation import gettext as _

from annotations.photos import PhotoRefused, too_large
from retrieval.importing.tables import TableUnreadable

MOST_MEMBERS = 20_000
# Unpacked, as the archive itself says; what a member really holds is bounded when it is read.
MOST_BYTES = 4 * 1024**3
LONGEST_NAME = 500
# Of these Python unpacks as much as is asked for; of bzip2 a few bytes become gigabytes at once.
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LARGEST_TABLE = 200 * 1024**2
PHOTO_ENDINGS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".gif",
    ".bmp",
    ".heic",
    ".avif",
    ".tif",
    ".tiff",
)
TABLE_ENDINGS = {".csv": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
# What a part that is not what the archive says of it raises while it is read.
_DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error)
_REFUSED = (*_DAMAGED, NotImplementedError, RuntimeError, OSError)


@dataclass(frozen=True, slots=True)
class Contents:
    """Names in the archive; `unsafe` are those that lead out of it, are too long,
    encrypted or packed in a way that is not read here. `too_large` are some of the photos."""

    table: str
    table_kind: str
    photos: tuple[str, ...]
    unsafe: tuple[str, ...]
    too_large: frozenset[str]


def read_contents(stream: IO[bytes]) -> Contents:
    """Raises TableUnreadable."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
    except (*_REFUSED, ValueError) as error:
        raise _refuse_damaged() from error
    if len(members) > MOST_MEMBERS:
        raise TableUnreadable(_("The ZIP holds more than %d files. Split it.") % MOST_MEMBERS)
    if sum(member.file_size for member in members) > MOST_BYTES:
        raise TableUnreadable(
            _("The ZIP unpacks to more than %d GB. Split it.") % (MOST_BYTES // 1024**3)
        )
    wanted = [member for member in members if not member.is_dir() and not _is_litter(member)]
    unsafe = [member.filename for member in wanted if _is_unsafe(member)]
    safe = sorted(member.filename for member in wanted if not _is_unsafe(member))
    tables = sorted((name.count("/"), name) for name in safe if _ending(name) in TABLE_ENDINGS)
    table = tables[0][1] if tables else ""
    photos = tuple(name for name in safe if _ending(name) in PHOTO_ENDINGS)
    if not photos and not table:
        raise TableUnreadable(_("The ZIP holds neither photos nor a CSV or NDJSON file."))
    large = frozenset(m.filename for m in wanted if m.file_size > settings.UPLOAD_MAX_BYTES)
    return Contents(
        table,
        TABLE_ENDINGS.get(_ending(table), ""),
        photos,
        unsafe=tuple(unsafe),
        too_large=large.intersection(photos),
    )


@contextmanager
def spooled_table(stream: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """The table of the archive, or without a name the stream itself, to be read several times."""
    if not name:
        yield stream
        return
    with zipfile.ZipFile(stream) as archive, open_table(archive, name) as member:
        yield member


@contextmanager
def open_table(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Raises TableUnreadable, also for what is wrong with it further down."""
    if archive.getinfo(name).file_size > LARGEST_TABLE:
        raise TableUnreadable(
            _("The table in the ZIP is larger than %d MB.") % (LARGEST_TABLE // 1024**2)
        )
    try:
        with archive.open(name) as table:
            yield table
    except _DAMAGED as error:
        raise _refuse_damaged() from error


def read_photo(archive: zipfile.ZipFile, name: str) -> bytes:
    """At most as many bytes as a photo may have, whatever the archive says. Raises PhotoRefused."""
    limit = settings.UPLOAD_MAX_BYTES
    try:
        with archive.open(name) as member:
            data = member.read(limit + 1)
    except (*_REFUSED, KeyError, ValueError) as error:
        raise PhotoRefused(
            "damaged", _("This part of the ZIP is damaged. Make the ZIP again.")
        ) from error
    if len(data) > limit:
        raise too_large()
    return data


def name_products(photos: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each photo with the id of its product: its folder, else its name without a number at the end.

    A folder that holds all of them (as most programs make it) names none.
    """
    common = _common_folder(photos)
    for name in photos:
        inner = name[len(common) :]
        folder, _slash, base = inner.rpartition("/")
        stem = base.rpartition(".")[0] or base
        key = folder.rpartition("/")[2] or re.sub(r"[-_ ]\(?\d{1,2}\)?$", "", stem)
        yield name, key.strip()[:200] or stem[:200]


def _refuse_damaged() -> TableUnreadable:
    return TableUnreadable(_("The ZIP file is damaged. Make it again."))


def _common_folder(photos: tuple[str, ...]) -> str:
    """Its path with the slash, where every photo lies in it and folders name products below it."""
    tops = {name.partition("/")[0] for name in photos if "/" in name}
    if len(tops) != 1 or not all("/" in name for name in photos):
        return ""
    top = f"{tops.pop()}/"
    return top if len(photos) > 1 else ""


def _is_litter(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith(".") or parts[-1] == "Thumbs.db"


def _is_unsafe(member: zipfile.ZipInfo) -> bool:
    name = member.filename
    leads_out = ".." in name.split("/") or name.startswith("/") or "\\" in name or ":" in name
    too_long = len(name.encode()) > LONGEST_NAME
    sealed = bool(member.flag_bits & 1) or member.compress_type not in _PACKINGS
    return leads_out or too_long or sealed or not name.isprintable()


def _ending(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""
