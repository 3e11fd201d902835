"""Where stores reach this installation, if they can, and how their own addresses are written."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from integrations.stores.failures import StoreFailed
from integrations.stores.models import Store
from kalas.lib import public_addresses, safe_http
from kalas.lib.request_failures import RequestFailed


def build_link(path: str) -> str:
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}"


def build_hook_url(store: Store) -> str:
    return build_link(reverse("store_hook", args=[store.id]))


def can_be_reached() -> bool:
    """Whether a store on the internet can: by https at a public name. Where the operator allows
    networks of their own, stores there can as well."""
    if settings.OUTBOUND_NETWORKS:
        return True
    parts = urlsplit(settings.PUBLIC_URL)
    host = parts.hostname or ""
    if parts.scheme != "https" or host == "localhost" or "." not in host:
        return False
    try:
        return public_addresses.is_public(ip_address(host))
    except ValueError:
        return not host.endswith((".local", ".internal", ".lan", ".home.arpa"))


def clean_address(text: str) -> str:
    """An address as people paste it → scheme, host and folder. Raises StoreFailed."""
    text = text.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise StoreFailed("invalid-url") from error
    path = _cut(parts.path)
    text = f"{parts.scheme}://{parts.netloc}{path}".rstrip("/")
    policy = safe_http.read_policy(max_bytes=1)
    try:
        url = safe_http.check_url(text, policy=policy)
    except RequestFailed as error:
        raise StoreFailed(error.code) from error
    return str(url).rstrip("/")


def _cut(path: str) -> str:
    """The folder of WordPress. What stands before its own pages is one, even if it has the name of
    WooCommerce's."""
    for pages in (("wp-admin", "wp-json", "wp-login.php"), ("shop", "my-account")):
        names = path.split("/")
        found = [names.index(page) for page in pages if page in names]
        if found:
            return "/".join(names[: min(found)])
    return path
