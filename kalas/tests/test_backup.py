import json
import os
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db.utils import ConnectionHandler
from psycopg import sql

from kalas import backup
from kalas.backup import BackupError
from kalas.lib import embedded_postgres, postgres_roles
from kalas.tests import databases

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
DATABASES = ("test_backup_source", "test_backup_target")


class House:
    """An installation with a database and photos of its own."""

    def __init__(self, var, database):
        self.var = var
        self.database = database
        self.storage = FileSystemStorage(location=var / "media")
        owner = {**settings.DATABASES["owner"], "NAME": database}
        self.connection = ConnectionHandler({"default": owner})["default"]

    def backup(self, path):
        backup.write(path=path, database=self.connection, storage=self.storage, now=NOW)

    def restore(self, path, *, replace=False):
        backup.restore(path=path, database=self.connection, storage=self.storage, replace=replace)

    def query(self, statement, *parameters):
        with embedded_postgres.connect(folder(), database=self.database) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else None

    def add_user(self, name):
        self.query(
            "INSERT INTO accounts_user (email, name, password, language, is_staff, is_active,"
            " is_superuser, date_joined) VALUES (%s, '', '', '', false, true, false, now())",
            f"{name}@example.com",
        )

    def emails(self):
        return [email for (email,) in self.query("SELECT email FROM accounts_user ORDER BY 1")]

    def add_photo(self, name, content):
        self.storage.save(name, ContentFile(content))

    def photos(self):
        return {
            name: Path(self.storage.path(name)).read_bytes() for name in backup.walk(self.storage)
        }


def folder():
    return settings.VAR / "postgres"


@pytest.fixture
def houses(tmp_path):
    made = []
    for name in DATABASES:
        drop(name)
        make_migrated_database(name)
        made.append(House(tmp_path / name, name))
    yield made
    for house in made:
        house.connection.close()
        drop(house.database)


def make_migrated_database(name):
    names = map(sql.Identifier, (name, databases.template_name(), postgres_roles.OWNER_ROLE))
    with embedded_postgres.connect(folder()) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*names))


def drop(name):
    with embedded_postgres.connect(folder()) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def test_brings_rows_and_photos_back(houses, tmp_path):
    source, target = houses
    source.add_user("ada")
    source.add_photo("shop/one.jpg", b"one")
    source.add_photo("shop/two.jpg", b"two")
    file = tmp_path / "kalas.tar"

    source.backup(file)
    target.restore(file)

    assert target.emails() == ["ada@example.com"]
    assert target.photos() == {"shop/one.jpg": b"one", "shop/two.jpg": b"two"}
    assert file.stat().st_mode & 0o077 == 0


def test_replaces_only_when_told_to(houses, tmp_path):
    source, target = houses
    source.add_user("ada")
    source.add_photo("shop/one.jpg", b"one")
    target.add_user("old")
    target.add_photo("shop/old.jpg", b"old")
    file = tmp_path / "kalas.tar"
    source.backup(file)

    with pytest.raises(BackupError, match="--replace"):
        target.restore(file)
    assert target.emails() == ["old@example.com"]

    target.restore(file, replace=True)
    assert target.emails() == ["ada@example.com"]
    assert target.photos() == {"shop/one.jpg": b"one"}


def test_does_not_overwrite_a_file(houses, tmp_path):
    source, _ = houses
    file = tmp_path / "kalas.tar"
    file.write_bytes(b"precious")

    with pytest.raises(BackupError, match="exists already"):
        source.backup(file)

    assert file.read_bytes() == b"precious"


def test_leaves_nothing_behind_when_it_fails(houses, tmp_path, monkeypatch):
    source, _ = houses
    monkeypatch.setattr(backup, "_dump_database", fail)

    with pytest.raises(BackupError):
        source.backup(tmp_path / "kalas.tar")

    assert not list(tmp_path.glob("*.tar*")) + list(tmp_path.glob(".*"))


def fail(*args):
    raise BackupError("pg_dump failed")


def test_does_not_restore_under_a_running_house(houses, tmp_path):
    source, target = houses
    file = tmp_path / "kalas.tar"
    source.backup(file)

    with (
        embedded_postgres.connect(folder(), database=target.database),
        pytest.raises(BackupError, match="stop it first"),
    ):
        target.restore(file, replace=True)


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "newer", "escaping"])
def test_a_damaged_backup_changes_nothing(houses, tmp_path, damage):
    source, target = houses
    source.add_user("ada")
    source.add_photo("shop/one.jpg", b"one" * 100_000)
    target.add_user("old")
    file = tmp_path / "kalas.tar"
    source.backup(file)
    spoil(file, damage)

    with pytest.raises(BackupError) as caught:
        target.restore(file, replace=True)

    assert "\n" not in str(caught.value)
    assert target.emails() == ["old@example.com"]
    assert not (tmp_path / "stolen").exists()


def spoil(file: Path, damage):
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "changed":
        position = content.index(b"PGDMP") + 2000
        changed = bytes([content[position] ^ 0xFF])
        file.write_bytes(content[:position] + changed + content[position + 1 :])
    elif damage == "newer":
        with tarfile.open(file) as tar:
            manifest = tar.extractfile("manifest.json")
            assert manifest
            known = json.load(manifest)["migrations"][0]
        newer = known[:-1] + "~"
        file.write_bytes(content.replace(f'"{known}"'.encode(), f'"{newer}"'.encode()))
    else:
        with tarfile.open(file, "a") as tar:
            info = tarfile.TarInfo("media/../../stolen")
            tar.addfile(info)


def test_the_commands_make_a_house_that_works_again(houses, tmp_path):
    source, target = houses
    source.add_user("ada")
    file = tmp_path / "kalas.tar"

    run_command(source, "backup", file)
    refused = run_command(source, "backup", file, code=1)
    run_command(target, "restore", file)
    # As the application's role: the grants are there again, and the sequences go on.
    seen = run_command(
        target,
        *("shell", "-v0", "-c"),
        "from accounts.models import User; first = User.objects.get(); first.save();"
        "print(first.email, User.objects.create_user('b@example.com').id > first.id)",
    )

    assert refused.stderr.strip().endswith("exists already: choose another name.")
    assert seen.stdout.strip().endswith("ada@example.com True")


def run_command(house, *arguments, code=0):
    host = embedded_postgres.socket_folder(folder())
    address = f"postgresql://{{}}@/{house.database}?host={host}"
    done = subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "kalas.settings",
            "KALAS_VAR": str(house.var),
            "DATABASE_URL": address.format(postgres_roles.APP_ROLE),
            "DATABASE_OWNER_URL": address.format(postgres_roles.OWNER_ROLE),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done
