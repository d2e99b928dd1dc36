"""Where a server is, as it may be shown; and whether that is this machine."""

from __future__ import annotations

from ipaddress import ip_address

from pydantic import SecretStr

from ...configuration.masking import Masker


def local(host: str) -> bool:
    """Whether what is sent there stays on this machine, as far as the name tells."""
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """A URL with its password masked, and whatever else in it may be secret."""
    return str(Masker(None).field("database.url", SecretStr(url)))
