"""Hosts, mailboxes, hardware addresses, telephone numbers. Nothing is looked up."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from ..rule import TextFormat, refused
from ..text import has_control

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
# WHATWG URL, section 3.5, "ends in a number": read as an IPv4 address, whatever stands before.
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_ENCODED = re.compile(r"xn--.")
_LOCAL = re.compile(r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+\Z")
_MAC = re.compile(r"(?:[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?:-[0-9a-f]{2}){5})|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})\Z")
_PHONE = re.compile(r"\+[1-9](?:[ .-]?[0-9]){6,14}\Z")

_HOST_LENGTH = 254  # 253 and a dot at the end
_EMAIL_LENGTH = 254  # RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets
_LOCAL_LENGTH = 64


def is_hostname(name: str) -> bool:
    """Whether lower-case ``name`` is a host's by RFC 1123, section 2.1; no IPv4 address in any spelling."""
    labels = name.split(".")
    return _are_labels(name) and not _NUMBER.match(labels[-1])


def _are_labels(name: str) -> bool:
    return 0 < len(name) < _HOST_LENGTH and all(
        _LABEL.match(label) and (not _ENCODED.match(label) or _is_decodable(label)) for label in name.split(".")
    )


def _is_decodable(label: str) -> bool:
    """Whether a label ``xn--…`` stands for the text it was made of, composed and in lower case (RFC 5891, 5.4)."""
    try:
        text = label[4:].encode().decode("punycode")
        again = text.encode("punycode").decode()
    except (UnicodeError, ValueError, OverflowError):
        return False
    settled = unicodedata.normalize("NFC", text.lower()) == text
    return again == label[4:] and not text.isascii() and settled and not has_control(text)


def _hostname(text: str) -> str:
    name = text.lower().removesuffix(".") if text.isascii() else ""
    if not is_hostname(name):
        raise refused("hostname.form")
    return name


def _domain(text: str) -> str:
    name = text.lower().removesuffix(".") if text.isascii() else ""
    labels = name.split(".")
    reserved = any(label[2:4] == "--" and not label.startswith("xn--") for label in labels)  # RFC 5890, 2.3.1
    last = labels[-1]
    if len(labels) < 2 or reserved or not is_hostname(name) or not (last.isalpha() or last.startswith("xn--")):
        raise refused("domain.form")
    return name


def _email(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not (at and len(local) <= _LOCAL_LENGTH and _LOCAL.match(local) and domain.isascii()):
        raise refused("email.form")
    if not _are_labels(domain.lower()):
        raise refused("email.form")
    return f"{local}@{domain.lower()}"


def _mac(text: str) -> str:
    address = text.lower() if text.isascii() else ""
    if not _MAC.match(address):
        raise refused("mac.form")
    digits = re.sub("[:.-]", "", address)
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def _phone(text: str) -> str:
    if not _PHONE.match(text):
        raise refused("phone.form")
    return re.sub("[ .-]", "", text)


Hostname = Annotated[str, TextFormat("hostname", _hostname, _HOST_LENGTH, format="hostname")]
"""A host's name (RFC 1123), of one part or more, no address; in lower case, without a dot at the end."""

DomainName = Annotated[str, TextFormat("domain", _domain, _HOST_LENGTH, format="hostname")]
"""A registrable name: two parts or more, the last of letters; other scripts as ``xn--…`` (RFC 5890); in lower case."""

EmailAddress = Annotated[str, TextFormat("email", _email, _EMAIL_LENGTH, format="email")]
"""A mailbox as browsers' ``<input type=email>`` takes it (WHATWG HTML), at most 254 long; the domain in lower case."""

MacAddress = Annotated[str, TextFormat("mac", _mac, 17)]
"""A hardware address of 48 bits (IEEE 802), with colons, hyphens or dots; kept as ``00:1b:44:11:3a:b7``."""

E164 = Annotated[str, TextFormat("phone", _phone, 40)]
"""An international telephone number (ITU-T E.164): + and 7 to 15 digits; spaces, dots and hyphens between them go."""
