"""A certificate authority that exists for one test run, and certificates for servers that tests start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Issued(NamedTuple):
    """Two PEM files: a certificate, and its private key."""

    certificate: Path
    key: Path


class Authority:
    """Signs with a key of its own; ``file`` is its certificate (PEM), which clients are told to trust."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(self._signed(self._name, self._key, [], authority=True)))

    def issue(self, place: str) -> Issued:
        """A certificate, good for a day, of the server at ``place``: an address or a host's name."""
        key = ec.generate_private_key(ec.SECP256R1())
        files = Issued(self.folder / f"{place}.crt", self.folder / f"{place}.key")
        files.certificate.write_bytes(_pem(self._signed(_name(place), key, [_place(place)], authority=False)))
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        files.key.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
        return files

    def options(self, place: str) -> list[str]:
        """Command line arguments for ``mariadbd`` or ``mysqld`` that is reached at ``place``."""
        issued = self.issue(place)
        return [f"--ssl-ca={self.file}", f"--ssl-cert={issued.certificate}", f"--ssl-key={issued.key}"]

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName], *, authority: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(_usage(authority), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _place(place: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(place))
    except ValueError:
        return x509.DNSName(place)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _usage(authority: bool) -> x509.KeyUsage:
    others = ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"]
    never = dict.fromkeys([*others, "decipher_only"], False)
    return x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **never)
