"""Requests to addresses that somebody else chose: photos of shops, receivers of results.

Whoever can make a server fetch an address can try to reach what only the server reaches: the
machine itself, its network, the metadata of its cloud. So every connection goes through
`pinned_network`, redirects are followed one by one through the same checks, and time and size
are bounded. Nothing is taken from the environment (no proxies, no .netrc), no cookies are kept.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import httpcore
import httpx
from django.conf import settings

from kalas.lib import public_addresses
from kalas.lib.pinned_network import Deadline, PinnedBackend
from kalas.lib.public_addresses import Network
from kalas.lib.request_failures import RequestFailed
from kalas.lib.shared_connections.base import lend_connection

LONGEST_URL = 2048
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# So much of an answer is enough to tell what it is.
START = 64
Method = Literal["GET", "POST", "PUT", "DELETE"]
# Given to the answer of a request that looks at no more of it than this.
StartCheck = Callable[[int, bytes], None]


@dataclass(frozen=True, slots=True)
class Policy:
    """What one request may do. `networks` are the operator's own, beside the public internet;
    `hosts`, where given, are the only ones asked, with their subdomains."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] | None = None
    ports: frozenset[int] = frozenset({80, 443})
    deadline_s: float = 15.0
    max_bytes: int = 1024 * 1024
    redirects: int = 0
    when_too_large: Literal["refuse", "cut"] = "refuse"


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    headers: Mapping[str, str]
    body: bytes
    check_start: StartCheck | None


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    was_cut: bool
    url: str

    def header(self, name: str) -> str:
        """The first of this name, else an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def read_policy(
    *,
    max_bytes: int,
    redirects: int = 0,
    when_too_large: Literal["refuse", "cut"] = "refuse",
    deadline_s: float = 0,
    hosts: frozenset[str] | None = None,
) -> Policy:
    """With what the operator allows in the settings, and their deadline unless there is one."""
    return Policy(
        hosts=hosts,
        networks=public_addresses.parse_networks(settings.OUTBOUND_NETWORKS),
        ports=frozenset(settings.OUTBOUND_PORTS),
        deadline_s=deadline_s or settings.OUTBOUND_DEADLINE_S,
        max_bytes=max_bytes,
        redirects=redirects,
        when_too_large=when_too_large,
    )


def send(
    *,
    method: Method,
    url: str,
    policy: Policy,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    check_start: StartCheck | None = None,
) -> Answer:
    """One request with its redirects; any status is an answer.

    `check_start` gets the status and the first bytes before the rest is read, and may raise.
    Raises RequestFailed.
    """
    lend_connection()
    deadline = Deadline(policy.deadline_s)
    question = _Question(method, headers or {}, body, check_start)
    target = check_url(url, policy=policy)
    for _hop in range(policy.redirects + 1):
        answer = _exchange(question, target, policy, deadline)
        location = answer.header("location")
        if not policy.redirects or answer.status not in REDIRECTS or not location:
            return answer
        target = _follow(target, location, policy)
    raise RequestFailed("redirects")


def check_url(url: str, *, policy: Policy) -> httpx.URL:
    """What can be known without the network; raises RequestFailed."""
    try:
        parsed = httpx.URL(url) if len(url) <= LONGEST_URL else None
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise RequestFailed("invalid-url") from error
    if parsed is None or not parsed.scheme:
        raise RequestFailed("invalid-url")
    if parsed.scheme not in ("http", "https"):
        raise RequestFailed("scheme")
    if parsed.userinfo:
        raise RequestFailed("credentials")
    if not parsed.host:
        raise RequestFailed("invalid-url")
    if _port(parsed) not in policy.ports:
        raise RequestFailed("port")
    if policy.hosts is not None and not _is_among(parsed.host, policy.hosts):
        raise RequestFailed("host-refused")
    if not _may_lead_out(parsed.host, policy.networks):
        raise RequestFailed("private-address")
    return parsed


def _may_lead_out(host: str, networks: tuple[Network, ...]) -> bool:
    """A first look, for who is told at once; what counts is where a connection would go."""
    is_local = host == "localhost" or host.endswith(".localhost")
    try:
        address = public_addresses.parse_address("127.0.0.1" if is_local else host)
    except ValueError:  # a name, or a number in another notation
        return True
    return public_addresses.is_allowed(address, networks)


def _is_among(host: str, hosts: frozenset[str]) -> bool:
    return any(host == each or host.endswith(f".{each}") for each in hosts)


def _follow(base: httpx.URL, location: str, policy: Policy) -> httpx.URL:
    try:
        return check_url(str(base.join(location)), policy=policy)
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise RequestFailed("invalid-url") from error


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _exchange(question: _Question, url: httpx.URL, policy: Policy, deadline: Deadline) -> Answer:
    backend = PinnedBackend(allowed=policy.networks, deadline=deadline)
    pool = httpcore.ConnectionPool(
        ssl_context=_ssl_context(), max_connections=1, network_backend=backend
    )
    target = httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=_port(url), target=url.raw_path
    )
    sent: dict[bytes | str, bytes | str] = {
        "Host": url.netloc.decode("ascii"),
        "User-Agent": "Kalas",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    sent.update(question.headers.items())
    if question.method in ("POST", "PUT"):
        sent["Content-Length"] = str(len(question.body))
    try:
        with (
            pool,
            pool.stream(
                question.method, target, headers=sent, content=question.body or None
            ) as response,
        ):
            return _read(response, url, policy, question.check_start)
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        raise RequestFailed("unreachable") from error
    except httpcore.TimeoutException as error:
        raise RequestFailed("timeout") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise RequestFailed("broken-answer") from error


def _read(
    response: httpcore.Response, url: httpx.URL, policy: Policy, check_start: StartCheck | None
) -> Answer:
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers
    )
    follows = policy.redirects and response.status in REDIRECTS
    body, was_cut = b"", False
    if not follows:
        body, was_cut = _read_body(response, headers, policy, check_start)
    return Answer(status=response.status, headers=headers, body=body, was_cut=was_cut, url=str(url))


def _read_body(
    response: httpcore.Response,
    headers: tuple[tuple[str, str], ...],
    policy: Policy,
    check_start: StartCheck | None,
) -> tuple[bytes, bool]:
    """At most `max_bytes`, and whether there was more."""
    values = {name.lower(): value for name, value in headers}
    refuses = policy.when_too_large == "refuse"
    if refuses and values.get("content-encoding", "identity").strip().lower() != "identity":
        # Never asked for, and a few bytes of it can become gigabytes.
        raise RequestFailed("compressed")
    length = values.get("content-length", "")
    if refuses and length.isdecimal() and int(length) > policy.max_bytes:
        raise RequestFailed("too-large")
    read = bytearray()
    unchecked = check_start
    for piece in response.iter_stream():
        read += piece
        if unchecked and len(read) >= START:
            unchecked(response.status, bytes(read[:START]))
            unchecked = None
        if len(read) > policy.max_bytes:
            if refuses:
                raise RequestFailed("too-large")
            return bytes(read[: policy.max_bytes]), True
    if unchecked:
        unchecked(response.status, bytes(read))
    return bytes(read), False


@lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    """With the certificates of certifi, or those of SSL_CERT_FILE for shops with their own."""
    return httpx.create_ssl_context()
