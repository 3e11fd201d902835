import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from kalas.lib import embedded_postgres, postgres_install, unix_sockets
from kalas.lib.postgres_install import EmbeddedPostgresError

FAST = {"fsync": "off", "shared_buffers": "16MB"}
is_root = os.geteuid() == 0


@pytest.fixture
def folder():
    """A data folder that the server's user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="kalas-test-", dir="/tmp") as name:
        var = Path(name)
        var.chmod(0o711)
        yield var / "postgres"
        embedded_postgres.stop(var / "postgres")


def test_keeps_its_rows_through_kill_and_restart(folder):
    embedded_postgres.start(folder, settings={"shared_buffers": "16MB"})
    with embedded_postgres.connect(folder) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    server = embedded_postgres._running_server(embedded_postgres.data_folder(folder))
    assert server

    server.kill()
    server.wait()
    embedded_postgres.start(folder, settings={"shared_buffers": "16MB"})

    with embedded_postgres.connect(folder) as connection:
        assert connection.execute("SELECT id FROM kept").fetchall() == [(1,)]


def test_starts_where_a_stale_file_names_a_foreign_process(folder):
    embedded_postgres.start(folder, settings=FAST)
    embedded_postgres.stop(folder)
    stale = embedded_postgres.data_folder(folder) / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{folder}\n0\n5432\n{folder}\n\n0 0\nready\n")

    embedded_postgres.start(folder, settings=FAST)

    assert embedded_postgres.is_ready(folder)


def test_half_a_data_folder_is_made_again(folder):
    draft = folder.with_name("postgres.new")
    (draft / "base").mkdir(parents=True)

    embedded_postgres.start(folder, settings=FAST)

    assert embedded_postgres.is_ready(folder)
    assert not draft.exists()


def test_ends_a_server_whose_data_folder_was_removed(folder):
    embedded_postgres.start(folder, settings=FAST)
    stray = embedded_postgres._running_server(embedded_postgres.data_folder(folder))
    assert stray
    shutil.rmtree(embedded_postgres.data_folder(folder))

    embedded_postgres.start(folder, settings=FAST)

    assert not stray.is_running()
    assert embedded_postgres.is_ready(folder)


def test_refuses_data_of_another_major_version(folder):
    folder.mkdir()
    (folder / "PG_VERSION").write_text("16\n")

    with pytest.raises(EmbeddedPostgresError, match="PostgreSQL 16"):
        embedded_postgres.start(folder)


def test_listens_on_no_port_and_only_for_its_user(folder):
    embedded_postgres.start(folder, settings=FAST)

    with embedded_postgres.connect(folder) as connection:
        row = connection.execute("SHOW listen_addresses").fetchone()
    assert row == ("",)
    assert embedded_postgres.socket_folder(folder).stat().st_mode & 0o077 == 0


def test_works_below_a_path_too_long_for_a_socket(folder):
    deep = folder.parent / ("d" * 60) / ("e" * 60) / "postgres"

    embedded_postgres.start(deep, settings=FAST)
    try:
        assert embedded_postgres.is_ready(deep)
        place = embedded_postgres.socket_folder(deep)
        assert not place.is_relative_to(deep)
        assert place.stat().st_mode & 0o077 == 0
    finally:
        embedded_postgres.stop(deep)
        embedded_postgres.socket_folder(deep).rmdir()


def test_refuses_a_socket_folder_of_somebody_else(folder, monkeypatch):
    stolen = folder.parent / "stolen"
    stolen.mkdir()
    stolen.chmod(0o777)
    if is_root:
        os.chown(stolen, pwd.getpwnam("nobody").pw_uid, -1)
    monkeypatch.setattr(unix_sockets, "place", lambda path: stolen / path.name)

    with pytest.raises(EmbeddedPostgresError, match="somebody else"):
        embedded_postgres.prepare(folder)


@pytest.mark.skipif(not is_root, reason="only root needs another place")
def test_root_keeps_data_out_of_a_private_home_directory(folder):
    private = folder.parent / "home"
    private.mkdir(mode=0o700)
    hidden = private / "kalas" / "var" / "postgres"

    place = embedded_postgres.data_folder(hidden)
    embedded_postgres.start(hidden, settings=FAST)

    try:
        assert place.is_relative_to(postgres_install.SHARED_FOLDER)
        assert embedded_postgres.is_ready(hidden)
        assert private.stat().st_mode & 0o077 == 0
    finally:
        embedded_postgres.stop(hidden)
        subprocess.run(["rm", "-r", str(place)], check=True)


@pytest.mark.skipif(not is_root, reason="only root needs another place")
def test_root_copies_programs_out_of_a_private_home_directory(monkeypatch, tmp_path):
    monkeypatch.setattr(postgres_install, "SHARED_FOLDER", tmp_path / "shared")
    monkeypatch.setattr(postgres_install, "is_open_to_all", lambda path: False)

    program = postgres_install.program("postgres")

    assert program.is_relative_to(tmp_path / "shared")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert "(PostgreSQL) 18" in done.stdout
    assert program.stat().st_mode & 0o777 == 0o755


def test_settings_start_no_server(folder):
    found = embedded_postgres.database_settings(folder, role="somebody")

    assert found["USER"] == "somebody"
    assert not folder.exists()


def test_says_where_the_log_is_when_it_cannot_start(folder):
    with pytest.raises(EmbeddedPostgresError, match=r"postgres\.log"):
        embedded_postgres.start(folder, settings={"shared_buffers": "nonsense"})


def test_a_socket_path_that_fits_stays_where_it_is():
    short = Path("/srv/kalas/var/run/inference.sock")
    long = Path("/srv") / ("x" * 120) / "inference.sock"

    assert unix_sockets.place(short) == short
    assert len(os.fsencode(unix_sockets.place(long))) <= unix_sockets.LONGEST_PATH
    assert unix_sockets.place(long) != unix_sockets.place(long.parent / "y" / long.name)


@pytest.mark.skipif(not is_root, reason="becomes another user")
def test_runs_as_an_ordinary_user(folder):
    """What `make up` does for nearly everybody, seen from a test session of root."""
    user = pwd.getpwnam("nobody")
    os.chown(folder.parent, user.pw_uid, user.pw_gid)
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from kalas.lib import embedded_postgres
        folder = Path(sys.argv[1])
        embedded_postgres.start(folder)
        print(embedded_postgres.is_ready(folder), embedded_postgres.data_folder(folder))
        embedded_postgres.stop(folder)
        """
    )
    if not postgres_install.is_open_to_all(Path(sys.executable).resolve()):
        pytest.skip("this Python is not for other users")
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.split() == ["True", str(folder)], done.stderr


def test_nobody_connects_without_the_server(folder):
    assert not embedded_postgres.is_ready(folder)
    with pytest.raises(psycopg.OperationalError):
        embedded_postgres.connect(folder)
