"""Rows of a CSV or NDJSON file, read one by one, however broken the file is.

Nothing here holds more than one row, so a file may have any number of them.
"""

import codecs
import csv
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain, islice
from typing import IO, Any, TextIO

from django.utils.translation import gettext as _

LONGEST_LINE = 1_000_000
LONGEST_CELL = 100_000
MOST_COLUMNS = 200
MOST_ROWS = 200_000
DELIMITERS = ",;\t|"
# Keys of NDJSON may come late: so many lines are looked at for columns.
SAMPLED_ROWS = 100
SAMPLES = 3
_CHUNK = 1 << 20


class TableUnreadable(ValueError):
    """Nothing of the file can be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """`number` is the one a spreadsheet or an editor shows; `error` says why it has no cells."""

    number: int
    cells: tuple[str, ...]
    error: str = ""


def find_encoding(stream: IO[bytes]) -> str:
    """Of the whole stream, from its start. Raises TableUnreadable."""
    start = stream.read(4)
    stream.seek(0)
    if (wide := _find_wide(start)) and _decodes(stream, wide):
        return wide
    # What Excel writes in Turkey where nobody chose UTF-8; last, as it takes nearly all bytes.
    for encoding in () if wide else ("utf-8-sig", "cp1254"):
        if _decodes(stream, encoding):
            return encoding
    raise TableUnreadable(_("The file's characters can't be read. Save it as CSV UTF-8."))


def _find_wide(start: bytes) -> str:
    """The encoding with two or four bytes a character that a file begins in, or none."""
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Without a mark: a column's name begins in plain letters, every second byte of which is zero.
    zeros = [byte == 0 for byte in start]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else ""


def find_delimiter(stream: IO[bytes], *, encoding: str) -> str:
    """The one that the first line has most of, outside of quotes."""
    with _text(stream, encoding) as text:
        line = text.readline(LONGEST_LINE)
    outside = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=lambda each: (outside.count(each), -DELIMITERS.index(each)))


def read_columns(stream: IO[bytes], *, kind: str, encoding: str, delimiter: str) -> list[Column]:
    """With a few values of each. Raises TableUnreadable."""
    if kind == "ndjson":
        columns = _find_keys(stream, encoding)
        stream.seek(0)
    else:
        with _text(stream, encoding) as text:
            columns = _read_header(text, delimiter)
        stream.seek(0)
    if not any(columns):
        raise TableUnreadable(_("The file is empty: its first row must name the columns."))
    if len(columns) > MOST_COLUMNS:
        raise TableUnreadable(_("The file has more than %d columns.") % MOST_COLUMNS)
    rows = read_rows(stream, kind=kind, encoding=encoding, delimiter=delimiter, columns=columns)
    first = next(rows, None)
    if first is None:
        raise TableUnreadable(_("The file has no rows below the names of its columns."))
    rows = chain([first], rows)
    found: list[list[str]] = [[] for _column in columns]
    for row in islice(rows, SAMPLED_ROWS):
        for samples, cell in zip(found, row.cells, strict=False):
            if cell and len(samples) < SAMPLES and cell[:60] not in samples:
                samples.append(cell[:60])
    return [Column(name, tuple(s)) for name, s in zip(columns, found, strict=True)]


def read_rows(
    stream: IO[bytes], *, kind: str, encoding: str, delimiter: str, columns: Sequence[str]
) -> Iterator[Row]:
    """Every row but the header; empty ones are left out."""
    with _text(stream, encoding) as text:
        rows = _read_objects(text, columns) if kind == "ndjson" else _read_csv(text, delimiter)
        for count, row in enumerate(rows):
            if count >= MOST_ROWS:
                yield Row(row.number, (), _("A file may have %d rows. Split it.") % MOST_ROWS)
                return
            yield row


class _Lines:
    """Lines of bounded length; a longer one is skipped and raises csv.Error, once. Those of a row
    that turned out to be none come again, without its first."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.ended = False
        self._of_row: list[str] = []
        self._again: deque[str] = deque()

    def begin_row(self) -> None:
        self._of_row = []

    def take_back(self) -> None:
        self._again.extendleft(reversed(self._of_row[1:]))
        self.ended = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        self._of_row.append(line)
        return line

    def _read(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        if not line:
            self.ended = True
            raise StopIteration
        if len(line) < LONGEST_LINE or line.endswith("\n"):
            return line
        while line and not line.endswith("\n"):
            line = self._text.readline(LONGEST_LINE)
        raise csv.Error("line too long")


def _read_header(text: TextIO, delimiter: str) -> list[str]:
    try:
        header = next(csv.reader(_Lines(text), delimiter=delimiter), [])
    except csv.Error as error:
        raise TableUnreadable(
            _("The first row can't be read; it must name the columns.")
        ) from error
    return [_clean(cell)[:100].strip() for cell in header]


def _read_csv(text: TextIO, delimiter: str) -> Iterator[Row]:
    lines = _Lines(text)
    # Strict: else a mark that is closed in another row takes that row along.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        lines.begin_row()
        try:
            cells = next(reader)
            if lines.ended:  # within a cell, which took all rows to the end for its own
                raise csv.Error
        except StopIteration:
            return
        except csv.Error:
            # What an open quotation mark took along are rows of their own.
            lines.take_back()
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            yield Row(number, (), _("A cell is too long, or its quotation mark is never closed."))
            continue
        if number > 1 and any(cells):
            yield _check_cells(number, cells)


def _read_objects(text: TextIO, columns: Sequence[str]) -> Iterator[Row]:
    lines = _Lines(text)
    number = 0
    while True:
        number += 1
        try:
            line = next(lines)
        except StopIteration:
            return
        except csv.Error:
            yield Row(number, (), _("The line is too long."))
            continue
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield _check_cells(number, [_to_text(found.get(name)) for name in columns])
        else:
            yield Row(number, (), _('The line is no JSON object such as {"id": "1"}.'))


def _check_cells(number: int, cells: Sequence[str]) -> Row:
    if any(len(cell) > LONGEST_CELL for cell in cells):
        return Row(number, (), _("A cell has more than %d characters.") % LONGEST_CELL)
    return Row(number, tuple(_clean(cell) for cell in cells))


def _find_keys(stream: IO[bytes], encoding: str) -> list[str]:
    keys: dict[str, None] = {}
    with _text(stream, encoding) as text:
        lines = _Lines(text)
        for _line in range(SAMPLED_ROWS):
            try:
                found = json.loads(next(lines))
            except StopIteration:
                break
            except (ValueError, RecursionError, csv.Error):
                continue
            if isinstance(found, dict):
                keys.update(dict.fromkeys(found))
    return [key[:100] for key in keys]


def _to_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "|".join(_to_text(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _clean(cell: str) -> str:
    """Without control characters, which PostgreSQL or the pages would refuse."""
    if not cell.isprintable():
        cell = "".join(c for c in cell if c.isprintable() or c in "\n\t\u200d")
    return cell.strip()


def _decodes(stream: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    stream.seek(0)
    try:
        while chunk := stream.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        stream.seek(0)
    return True


class _text:  # noqa: N801 - reads as a function
    """A text view of the stream that does not close it."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._wrapper = TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")

    def __enter__(self) -> TextIO:
        return self._wrapper

    def __exit__(self, *_: object) -> None:
        self._wrapper.detach()
