"""DeepFashion's list files: a count, mostly a line of titles, then blank-separated rows."""

from collections.abc import Iterator
from pathlib import Path

Row = list[str]


class BadData(ValueError):
    """The data set lacks a file or one is not as described; the message says which and where."""


def read_rows(path: Path, *, least: int, titles: bool = True) -> Iterator[tuple[int, Row]]:
    """(line number, columns) of each row, at least so many columns. Raises BadData."""
    lines = read_lines(path)
    if not lines or not lines[0].strip().isdecimal():
        raise BadData(f"{path.name}: the first line has to say how many rows follow.")
    first = 2 if titles else 1
    rows = [(n, line.split()) for n, line in enumerate(lines[first:], first + 1) if line.strip()]
    if len(rows) != int(lines[0]):
        raise BadData(f"{path.name}: {lines[0].strip()} rows are announced, {len(rows)} are there.")
    for number, row in rows:
        if len(row) < least:
            raise BadData(
                f"{path.name}, line {number}: {least} columns are needed, {len(row)} are there."
            )
        yield number, row


def read_lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError as error:
        raise BadData(f"{path} is missing.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path} cannot be read.") from error


def read_numbers(row: Row, *, path: Path, line: int) -> list[int]:
    """Raises BadData."""
    try:
        return [int(value) for value in row]
    except ValueError as error:
        raise BadData(f"{path.name}, line {line}: whole numbers are needed.") from error


def find_anno(root: Path, *, fine: bool = False) -> Path:
    return root / ("Anno_fine" if fine else "Anno")
