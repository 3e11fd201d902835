"""No address, however it is written or answered, opens a socket to what is not public."""

import pytest

from kalas.lib import public_addresses, remote_images
from kalas.lib.request_failures import SENTENCES, RequestFailed
from kalas.lib.safe_http import Policy
from kalas.lib.tests.safe_http.servers import PUBLIC

EVIL = [
    # the machine itself
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.8.9.10/",
    "http://0/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0x7F.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0177.0x0.0.1/",
    "http://00000177.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://loop.example/",
    "http://127.0.0.1.nip.example/",
    "https://127.0.0.1/",
    "http://127.0.0.1:443/",
    # IPv4 inside of IPv6
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "http://mapped.example/",
    "http://nat64.example/",
    # the clouds' metadata
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    # networks nobody may reach from outside
    "http://10.0.0.1/",
    "http://10.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://3232235521/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://192.0.2.1/",
    "http://203.0.113.9/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fc00::1]/",
    "http://[fd12:3456::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[fec0::1]/",
    "http://inside.example/",
    "http://mixed.example/",
    "http://mixed6.example/",
    # disguises of the host
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://user:secret@example.com/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://loc%61lhost/",
    "http://127.0.0.1%00.example.com/",
    "http://127.0.0.1%23.example.com/",
    "http:///127.0.0.1/",
    "http:127.0.0.1",
    "http://",
    "http://[127.0.0.1]/",
    "http://[::1/",
    "http:// 127.0.0.1/",
    "http://127.0.0.1\r\nHost: example.com/",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 200 + "example/",
    "http://example.com/" + "a" * 3000,
    "http://no-such-host.example/",
    # other ways than HTTP, other ports than those of the web
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "ftp://example.com/shirt.jpg",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/stat",
    "unix:/run/inference.sock",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    "ldap://127.0.0.1/",
    "jar:http://127.0.0.1!/",
    "//127.0.0.1/",
    "/etc/passwd",
    "",
    "127.0.0.1",
    "http://example.com:22/",
    "http://example.com:6379/",
    "http://example.com:5432/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://example.com:-80/",
]


def test_there_are_many_evil_forms() -> None:
    assert len(set(EVIL)) > 90


@pytest.mark.parametrize("url", EVIL)
def test_opens_no_socket(url: str, connects: list[tuple[object, ...]]) -> None:
    with pytest.raises(RequestFailed) as failure:
        remote_images.fetch_image(url=url, policy=Policy(deadline_s=5, redirects=3))

    assert connects == []
    assert failure.value.code in SENTENCES
    assert failure.value.detail.endswith(".")


@pytest.mark.parametrize(
    "text", [PUBLIC, "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450::1"]
)
def test_the_public_internet_is_public(text: str) -> None:
    assert public_addresses.is_public(public_addresses.parse_address(text))
