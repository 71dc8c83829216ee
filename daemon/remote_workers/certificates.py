"""Creates certificates for the service and for invited machines. Needs the package cryptography (comparimg[workers]).

The authority signs only these certificates, and nothing else trusts it. A worker's certificate is valid for a client
only, so no worker can pose as the service. A certificate is ended by revoking it (see roster). Its expiry date only
ensures that a forgotten one is not valid forever.
"""

import datetime
import hashlib
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from daemon.remote_workers.wire import SERVICE_NAME

YEARS: Final = 20
# Clocks differ between machines, and the clock of a NAS may be wrong by years.
EARLIER: Final = datetime.timedelta(days=365)


class Authority:
    """The authority of one service: its certificate and its key."""

    def __init__(self, certificate: bytes, key: bytes) -> None:
        """`certificate` and `key` are in PEM. Raises ValueError."""
        self._certificate = x509.load_pem_x509_certificate(certificate)
        loaded = serialization.load_pem_private_key(key, None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError("not the key of an authority")
        self._key = loaded

    @classmethod
    def new(cls) -> tuple[bytes, bytes]:
        """The certificate and the key of a new authority, in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("ComparImg workers")
        builder = _builder(name, name, key.public_key()).add_extension(x509.BasicConstraints(True, 0), critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
        builder = builder.add_extension(usage, critical=True)
        return _pem(builder.sign(key, hashes.SHA256())), _key_pem(key)

    def for_service(self) -> bytes:
        """A certificate for the service, followed by its key, in PEM."""
        names = x509.SubjectAlternativeName([x509.DNSName(SERVICE_NAME)])
        return b"".join(self._signed(SERVICE_NAME, ExtendedKeyUsageOID.SERVER_AUTH, names))

    def for_worker(self, name: str) -> tuple[bytes, bytes]:
        """A certificate for a worker, and its key, in PEM."""
        return self._signed(name, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _signed(
        self, name: str, use: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None = None
    ) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(name), self._certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256())), _key_pem(key)


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate in PEM, in hexadecimal."""
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    return hashlib.sha256(der).hexdigest()


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
