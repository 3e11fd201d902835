"""The uploaded file of an import, opened."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from django.core.files.storage import default_storage

from retrieval.importing import archives
from retrieval.models import CatalogueImport


@dataclass(frozen=True, slots=True)
class Source:
    """The uploaded file; `archive` and `contents` only of a ZIP."""

    table: IO[bytes] | None
    archive: zipfile.ZipFile | None
    contents: archives.Contents | None

    @property
    def photos(self) -> tuple[str, ...]:
        return self.contents.photos if self.contents else ()


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
