"""Which addresses the house may connect to: public unicast ones, and no disguise of another."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA's registry of special-purpose addresses, plus what clouds hide in public space.
_SPECIAL_4 = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind the provider's address translation
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's service for the machine itself
        "169.254.0.0/16",  # link-local: the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Only this part of IPv6 is routed on the internet, so loopback, link-local, unique local,
# multicast, IPv4-mapped and NAT64 addresses lie outside of it.
_ROUTED_6 = IPv6Network("2000::/3")
_SPECIAL_6 = tuple(
    IPv6Network(each)
    for each in (
        "2001::/23",  # Teredo among them, which carries an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3fff::/20",
    )
)


def parse_address(text: str) -> Address:
    """Raises ValueError, also for an IPv6 address that names a network interface."""
    if "%" in text:
        raise ValueError(f"{text} is only valid on one network interface")
    return ip_address(text)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError, also for a network with bits set behind its mask."""
    return tuple(ip_network(text.strip()) for text in texts if text.strip())


def is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_4)
    return address in _ROUTED_6 and not any(address in network for network in _SPECIAL_6)


def is_allowed(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether it is public or lies in one of the operator's own networks."""
    return is_public(address) or any(
        address.version == network.version and address in network for network in allowed
    )
