"""Hosts and ports as clients take them: one spelling of each, for proxies and for sites."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from unicodedata import bidirectional
from urllib.parse import unquote_to_bytes

from idna import IDNAError, check_bidi, check_initial_combiner, uts46_remap, valid_contextj

from proxysieve.core.model import PLAIN_IPV4

LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"(?:{LABEL}\.)*(?:{LABEL})\.?")
# Sites have names with hyphens at any place, for which DNS has addresses.
SITE_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
# Spelled as it is, and no number in its last label.
USUAL_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,63}")
LONGEST_HOST = 253
# Its UTF-8 with each byte escaped, before it is mapped.
LONGEST_SPELLING = 2_048
# A name that ends so is an IPv4 address, or none.
NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\.?")
IPV4_PARTS = 4
JOINERS = frozenset("\u200c\u200d")
# What makes a name one of the bidirectional ones (RFC 5893, 1.4).
RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
IPV6 = re.compile(r"\[([0-9A-Fa-f:.]+)(%[A-Za-z0-9._~-]+)?\]")
ADDRESS = re.compile(r"(\[[^\[\]]*\]|[^:@/?#\[\]]*):([0-9]+)")
MOST_PORTS = 65_535

# Networks that are not everybody's: of this machine, of somebody's own, of one link or one provider, and addresses of
# no single host. https://www.iana.org/assignments/iana-ipv4-special-registry, and the same for IPv6. Those of the
# documentation are nobody's.
PRIVATE_IPV4 = tuple(
    IPv4Network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
PRIVATE_IPV6 = tuple(
    IPv6Network(one)
    for one in ("::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")
)
# Networks whose addresses stand for one of IPv4, and how many bits follow it.
OF_IPV4 = (
    (IPv6Network("::/96"), 0),
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
LOOPBACK = re.compile(r"(?:.+\.)?localhost\.?|127(?:\.[0-9]+){3}|::1|\[::1\]")
# Names that no public DNS answers for: RFC 6761 (localhost), RFC 6762 (local), RFC 8375 (home.arpa), and what ICANN
# set apart in 2024 (internal).
PRIVATE_NAMES = ("localhost", "local", "internal", "home.arpa")


def address_of(text: str) -> tuple[str, int] | None:
    """Host and port, if *text* is ``host:port``."""
    found = ADDRESS.fullmatch(text)
    if found is None or len(found[2]) > len(str(MOST_PORTS)):
        return None
    host, port = _host(found[1]), int(found[2])
    return (host, port) if host and 0 < port <= MOST_PORTS else None


def _host(text: str) -> str:
    """The host of a proxy, of which no part is guessed; empty if *text* is none."""
    if PLAIN_IPV4.fullmatch(text):
        return text
    if text.startswith("["):
        return ipv6_of(text)
    name = ascii_name(text)
    if len(name) > LONGEST_HOST or not NAME.fullmatch(name) or _ends_in_number(name):
        return ""
    return name


def ipv6_of(text: str) -> str:
    """The address in the brackets that *text* is; empty if it is none."""
    found = IPV6.fullmatch(text)
    try:
        return f"{found[1].lower()}{found[2] or ''}" if found and IPv6Address(found[1]) is not None else ""
    except ValueError:
        return ""


def ascii_name(name: str) -> str:
    """*name* in lower case and ASCII, as browsers write it (UTS 46, nontransitional); empty if there is no such form.

    What is in ASCII already is only lowered: it is what DNS is asked for, whatever it stands for.
    """
    if name.isascii():
        return name.lower()
    if len(name) > LONGEST_HOST:
        return ""
    try:
        labels = uts46_remap(name, std3_rules=False).split(".")
        letters = [_in_letters(label) for label in labels]
        is_bidirectional = any(_is_right_to_left(label) for label in letters)
        return ".".join(_in_ascii(label, is_bidirectional=is_bidirectional) for label in letters)
    except ValueError:
        return ""


def _in_letters(label: str) -> str:
    """The *label* that Punycode stands for.

    Raises:
        ValueError: It stands for none, or for one that is written in another way.
    """
    if not label.startswith("xn--"):
        return label
    decoded = label[4:].encode("ascii").decode("punycode")
    if decoded.isascii() or uts46_remap(decoded, std3_rules=False) != decoded:
        raise IDNAError("Punycode of what is written in another way")
    return decoded


def letters_of(host: str) -> str:
    """*host* as a person writes it: what is in Punycode in its own alphabet."""
    labels = host.split(".")
    try:
        return ".".join(map(_in_letters, labels))
    except ValueError:
        return host


def _is_right_to_left(label: str) -> bool:
    return any(bidirectional(letter) in RIGHT_TO_LEFT for letter in label)


def _in_ascii(label: str, *, is_bidirectional: bool) -> str:
    if label.isascii() and not is_bidirectional:
        return label
    check_initial_combiner(label)
    if is_bidirectional and label:
        check_bidi(label, check_ltr=True)
    if not all(valid_contextj(label, at) for at, letter in enumerate(label) if letter in JOINERS):
        raise IDNAError("a joiner where there is nothing to join")
    return label if label.isascii() else f"xn--{label.encode('punycode').decode()}"


def url_host(text: str) -> str:
    """The host of a URL, as browsers read and write it; empty if *text* is none.

    A name is in lower case and ASCII, and keeps a final dot; an IPv4 address has four decimal numbers, whatever it was
    written in (``127.1``, ``0x7f000001``); one of IPv6 is compressed, in brackets.
    https://url.spec.whatwg.org/#host-parsing. What DNS cannot be asked for is none here (RFC 1035, 2.3.4).
    """
    if USUAL_NAME.fullmatch(text) and len(text) <= LONGEST_HOST:
        return text
    if len(text) > LONGEST_SPELLING:
        return ""
    if text.startswith("["):
        found = IPV6.fullmatch(text)
        return _bracketed(found[1]) if found and not found[2] else ""
    try:
        name = ascii_name(unquote_to_bytes(text).decode())
    except UnicodeError:
        return ""
    if len(name.removesuffix(".")) > LONGEST_HOST or not SITE_NAME.fullmatch(name):
        return ""
    return _ipv4(name) if _ends_in_number(name) else name


def _ends_in_number(name: str) -> bool:
    return NUMBER.fullmatch(name.removesuffix(".").rpartition(".")[2]) is not None


def _ipv4(name: str) -> str:
    """The IPv4 address in any of its forms; empty if it is none."""
    parts = name.removesuffix(".").split(".")
    try:
        *first, last = [_number(part) for part in parts]
    except ValueError:
        return ""
    # The last number fills what the others leave.
    is_one = len(parts) <= IPV4_PARTS and all(one < 256 for one in first) and last < 256 ** (IPV4_PARTS - len(first))
    return str(IPv4Address(sum(one << (24 - 8 * at) for at, one in enumerate(first)) + last)) if is_one else ""


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") else int(part)


def _bracketed(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        return ""
    number = address.ipv4_mapped
    # Of these alone Python's versions write two forms.
    return f"[::ffff:{int(number) >> 16:x}:{int(number) & 0xFFFF:x}]" if number else f"[{address}]"


def is_ip(text: str) -> bool:
    """Whether *text* is an address, with brackets if it is of IPv6."""
    return bool(PLAIN_IPV4.fullmatch(text) or ipv6_of(text))


def is_bare_ipv6(text: str) -> bool:
    """Whether *text* is an IPv6 address without its brackets, with or without a port."""
    return bool(ipv6_of(f"[{text}]") or ipv6_of(f"[{text.rpartition(':')[0]}]"))


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine, which browsers trust as they do TLS.

    It is what https://www.w3.org/TR/secure-contexts/, 3.1, names.

    Args:
        host: As it is connected to; of IPv6 with or without brackets.
    """
    return LOOPBACK.fullmatch(host) is not None


def is_private(host: str) -> bool:
    """Whether *host* is a place that is not everybody's: of this machine, of an own network, of one link, or of many.

    Args:
        host: In any spelling; of IPv6 with or without brackets.
    """
    known = url_host(f"[{host}]" if ":" in host and not host.startswith("[") else host)
    if known.startswith("["):
        return _is_private_ipv6(IPv6Address(known[1:-1]))
    if PLAIN_IPV4.fullmatch(known):
        return _is_private_ipv4(IPv4Address(known))
    return f".{known.removesuffix('.')}".endswith(tuple(f".{name}" for name in PRIVATE_NAMES))


def _is_private_ipv6(address: IPv6Address) -> bool:
    if any(address in network for network in PRIVATE_IPV6):
        return True
    behind = next((bits for network, bits in OF_IPV4 if address in network), None)
    return behind is not None and _is_private_ipv4(IPv4Address(int(address) >> behind & 0xFFFF_FFFF))


def _is_private_ipv4(address: IPv4Address) -> bool:
    return any(address in network for network in PRIVATE_IPV4)
