"""Where pictures may come from: hosts that were chosen by name, at addresses that are public.

A server that fetches what it is told can be led to what only it can reach: its cloud's own
metadata, a router, a database on the same machine. So an address is `https` on the usual port,
its host is a name from a list, and of what that name resolves to every single address is public.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from images.errors import AddressRefused

__all__ = [
    "HTTPS_PORT",
    "ImageAddress",
    "is_host_name",
    "is_public",
    "parse_address",
    "require_public",
]

HTTPS_PORT: Final = 443

_LONGEST: Final = 2000
# What a URL may be made of. Spaces, backslashes, control characters and letters beyond ASCII are
# read differently by different programs.
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# The last label of a name has letters only (or is an international one): 127.1, 2130706433 and
# 0x7f.1 are numbers to some resolvers.
_LAST_LABEL: Final = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
# Of no public name: they mean this machine, this house or this cloud.
_INNER: Final = frozenset(
    {"arpa", "corp", "home", "internal", "intranet", "lan", "local", "localdomain", "localhost"}
)

_NO_IPV4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
# What is given to the world. Addresses that hold an IPv4 address lie outside of it or are taken
# out: mapped (::ffff:), translated (64:ff9b::), Teredo (in 2001::/23) and 6to4 (2002::/16).
_IPV6: Final = ipaddress.IPv6Network("2000::/3")
_NO_IPV6: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
# Public by number, and the metadata of a cloud all the same.
_METADATA: Final = frozenset({ipaddress.IPv4Address("168.63.129.16")})


@dataclass(frozen=True, slots=True)
class ImageAddress:
    """An address that may be asked, as far as its text can tell.

    Attributes:
        host: a name from the list of hosts.
        target: path and query, as a request line has them.
    """

    host: str
    target: str

    @property
    def text(self) -> str:
        """The address in full."""
        return f"https://{self.host}{self.target}"

    def follow(self, location: str, hosts: Collection[str]) -> ImageAddress:
        """Where a redirect leads. Raises AddressRefused as `parse_address` does."""
        _require_characters(location)
        try:
            return parse_address(urljoin(self.text, location), hosts)
        except ValueError:
            raise _refused(location, "It cannot be read.") from None


def parse_address(text: str, hosts: Collection[str]) -> ImageAddress:
    """Read an address of a picture; `hosts` are the names that it may have.

    Raises:
        AddressRefused: it is not https, has a user name or a port of its own, or another host.
    """
    _require_characters(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _refused(text, "It cannot be read.") from None
    if parts.scheme != "https":
        raise _refused(text, "It does not begin with https://.")
    if "@" in parts.netloc:
        raise _refused(text, "It has a user name in front of its host.")
    if port is not None and port != HTTPS_PORT:
        raise _refused(text, f"It names port {port}; only {HTTPS_PORT} is used.")
    host = parts.netloc.removesuffix(f":{HTTPS_PORT}").lower()
    # Both readings of the text must agree, and the name be one from the list, letter by letter.
    if host != parts.hostname or not is_host_name(host) or host not in hosts:
        raise _refused(text, f"Its host is not one of {', '.join(sorted(hosts)) or 'none'}.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return ImageAddress(host, target)


def is_host_name(text: str) -> bool:
    """Whether it is a public name in small letters: no number in any form, no name of this machine.

    Of names beyond ASCII only the form xn--… counts.
    """
    labels = text.split(".")
    return (
        len(text) <= 253
        and len(labels) >= 2
        and all(_LABEL.fullmatch(label) for label in labels)
        and _LAST_LABEL.fullmatch(labels[-1]) is not None
        and labels[-1] not in _INNER
    )


def is_public(address: str) -> bool:
    """Whether a numeric address, in the form that a resolver gives, is anybody's on the Internet.

    IPv6 addresses that hold an IPv4 address are not, whichever it is, nor are those with a zone.
    """
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(number, ipaddress.IPv4Address):
        return number not in _METADATA and not any(number in network for network in _NO_IPV4)
    has_zone = number.scope_id is not None
    return not has_zone and number in _IPV6 and not any(number in one for one in _NO_IPV6)


def require_public(host: str, addresses: Sequence[str]) -> None:
    """Let a name's addresses through only if all of them are public.

    One that is not among others that are is how a request is led inside. Raises AddressRefused.
    """
    inner = [address for address in addresses if not is_public(address)]
    if inner:
        raise AddressRefused(
            "fetch a picture",
            host,
            f"The name leads to {inner[0]}, which is not a public address.",
            "Nothing was asked. Take the host out of [images] if that is how it is meant to be.",
        )


def _require_characters(text: str) -> None:
    if len(text) > _LONGEST:
        raise _refused(text[:80] + "…", f"It is longer than {_LONGEST} characters.")
    if not _CHARACTERS.fullmatch(text):
        raise _refused(ascii(text)[1:-1], "It has characters that no address has.")


def _refused(text: str, problem: str) -> AddressRefused:
    return AddressRefused(
        "fetch a picture", text, problem, "Nothing was asked. Look at [images] in the secrets."
    )
