"""The photos' files: named by ids only, written before their row, removed after it.

A thumbnail may be missing: it is made when somebody looks.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.models import Tenant
from annotations.models import FashionImage
from annotations.photos import Photo, make_thumbnail
from kalas.lib.outages import Away

logger = logging.getLogger(__name__)

# Longer than any upload's transaction: what is older and has no row was left behind by a crash.
ORPHAN_AGE = timedelta(hours=1)
_CHUNK = 500


class StorageAway(Away):
    """The storage does not answer."""


@contextmanager
def written_photo(*, tenant: Tenant, image_id: UUID, photo: Photo) -> Iterator[tuple[str, str]]:
    """Write photo and thumbnail, if it is made already, and give their names; remove both if the
    block raises. The photo survives the machine: its annotation can be made again.

    Raises StorageAway.
    """
    names = (
        f"{tenant.id}/{image_id}.{photo.extension}",
        f"{tenant.id}/{image_id}-thumbnail.jpg",
    )
    try:
        for name, data in zip(names, (photo.data, photo.thumbnail), strict=True):
            if data:
                _save(name, data)
        _flush(names[0])
        yield names
    except BaseException:
        remove_files(names)
        raise


@contextmanager
def removed_if_undone(images: Sequence[FashionImage]) -> Iterator[None]:
    """Remove the files of photos that are new in the running transaction if the block raises."""
    try:
        yield
    except BaseException:
        remove_files(str(file.name) for image in images for file in (image.file, image.thumbnail))
        raise


def read_photo(image: FashionImage) -> bytes:
    """Raises FileNotFoundError and StorageAway."""
    return _read(str(image.file.name))


def read_thumbnail(image: FashionImage) -> bytes:
    """Made and kept where nobody has asked for it yet; raises FileNotFoundError and StorageAway."""
    name = str(image.thumbnail.name)
    with suppress(FileNotFoundError):
        return _read(name)
    data = make_thumbnail(read_photo(image))
    with suppress(StorageAway):
        _save(name, data)
    return data


def remove_files(names: Iterable[str]) -> None:
    """Remove what is there; a storage that fails leaves orphans for the sweep."""
    for name in names:
        try:
            default_storage.delete(name)
        except Exception:
            logger.warning("The file %s could not be removed", name, exc_info=True)


def sweep_orphans(*, now: datetime) -> int:
    """Remove files that have no row and are older than an hour; return how many."""
    removed = 0
    try:
        folders, _files = default_storage.listdir("")
    except FileNotFoundError:  # no photo has come yet
        return removed
    for folder in filter(_is_uuid, folders):
        _folders, files = default_storage.listdir(folder)
        names = [f"{folder}/{name}" for name in files]
        for start in range(0, len(names), _CHUNK):
            orphans = _find_orphans(names[start : start + _CHUNK], older_than=now - ORPHAN_AGE)
            remove_files(orphans)
            removed += len(orphans)
    return removed


def _read(name: str) -> bytes:
    try:
        with default_storage.open(name, "rb") as file:
            data: bytes = file.read()
    except FileNotFoundError:
        raise
    except (OSError, BotoCoreError, ClientError) as error:
        raise StorageAway(str(error)) from error
    return data


def _save(name: str, data: bytes) -> None:
    try:
        default_storage.save(name, ContentFile(data))
    except (OSError, BotoCoreError, ClientError) as error:
        raise StorageAway(str(error)) from error


def _flush(name: str) -> None:
    """A folder's file and its place there; what a remote storage has taken is safe."""
    try:
        path = Path(default_storage.path(name))
    except NotImplementedError:
        return
    try:
        for each in (path, path.parent):
            opened = os.open(each, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
    except OSError as error:
        raise StorageAway(str(error)) from error


def _find_orphans(names: list[str], *, older_than: datetime) -> list[str]:
    rows = FashionImage.objects.filter(file__in=names).values_list("file", flat=True)
    photos = set(rows)
    thumbnails = set(
        FashionImage.objects.filter(thumbnail__in=names).values_list("thumbnail", flat=True)
    )
    return [
        name
        for name in names
        if name not in photos | thumbnails and default_storage.get_modified_time(name) < older_than
    ]


def _is_uuid(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
