"""The address: private, cleaned up, never shared between two engines."""

import os
import socket
import stat

import pytest

from inference.listening import AddressUnusable, listen


def test_the_socket_is_private_and_goes_with_its_engine(tmp_path):
    path = tmp_path / "run" / "e.sock"

    with listen(f"unix:{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))

    assert not path.exists()


def test_replaces_the_socket_that_a_killed_engine_left(tmp_path):
    path = tmp_path / "e.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    with listen(f"unix:{path}"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_refuses_while_another_engine_is_alive(tmp_path):
    url = f"unix:{tmp_path / 'e.sock'}"

    with listen(url), pytest.raises(AddressUnusable, match="alive"), listen(url):
        pass

    with listen(url):
        pass


def test_never_removes_a_file_that_is_no_socket(tmp_path):
    path = tmp_path / "e.sock"
    path.write_text("precious")

    with pytest.raises(AddressUnusable, match="in the way"), listen(f"unix:{path}"):
        pass

    assert path.read_text() == "precious"


def test_says_so_when_the_path_is_too_long(tmp_path):
    path = tmp_path / ("long" * 40)

    with pytest.raises(AddressUnusable, match="too long"), listen(f"unix:{path}"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_says_so_when_the_folder_is_not_ours(tmp_path):
    tmp_path.chmod(0o500)

    with pytest.raises(AddressUnusable, match="denied"), listen(f"unix:{tmp_path / 'e.sock'}"):
        pass


def test_listens_on_tcp_and_says_when_the_port_is_taken():
    with listen("http://127.0.0.1:0") as listener:
        port = listener.getsockname()[1]

        with pytest.raises(AddressUnusable, match="in use"), listen(f"http://127.0.0.1:{port}"):
            pass


@pytest.mark.parametrize("url", ["ftp://x:1", "http://127.0.0.1", "http://x:port", "/path"])
def test_refuses_an_address_it_does_not_understand(url):
    with pytest.raises(AddressUnusable, match="neither"), listen(url):
        pass
