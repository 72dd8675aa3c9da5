"""Certificates made on the spot, and a server that speaks TLS before one that does not."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What a client of PostgreSQL sends first to ask for TLS: length 8, code 80877103.
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class Authority:
    """A certificate authority over a directory.

    Attributes:
        certificate: Its own certificate's file.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = directory / f"{name}.pem"
        until = datetime.now(UTC) + timedelta(hours=1)
        signed = self._builder(self._name, self._key, until=until).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate.write_bytes(_pem(signed.sign(self._key, hashes.SHA256())))

    def issue(
        self, name: str, *, has_expired: bool = False, password: str | None = None
    ) -> tuple[Path, Path]:
        """A certificate for a host or a client. Returns its file and that of its key.

        Args:
            name: Of the host or the client.
            has_expired: Whether it was good until a minute ago.
            password: What the key is encrypted with.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = self._builder(
            subject, key, until=now + (timedelta(minutes=-1) if has_expired else timedelta(hours=1))
        ).add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        stem = f"{name}.{self.certificate.stem}.{signed.serial_number}"
        certificate, key_file = (self._directory / f"{stem}.{kind}" for kind in ("crt", "key"))
        certificate.write_bytes(_pem(signed))
        encryption = (
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption()
        )
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
            )
        )
        key_file.chmod(0o600)
        return certificate, key_file

    def revoke(self, *certificates: Path) -> Path:
        """A list of revoked certificates. Returns its file."""
        now = datetime.now(UTC)
        revoked = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        revoked = revoked.last_update(now - timedelta(hours=1)).next_update(
            now + timedelta(hours=1)
        )
        for certificate in certificates:
            number = x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now)
            revoked = revoked.add_revoked_certificate(entry.build())
        path = self._directory / f"{self.certificate.stem}.crl"
        path.write_bytes(
            revoked.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, until: datetime
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(until)
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(slots=True)
class Front:
    """A running front.

    Attributes:
        port: Where it listens, on every loopback address.
        encrypted: Connections that were encrypted.
        plain: Connections that were not.
    """

    port: int
    encrypted: int = 0
    plain: int = 0


@contextmanager
def tls_front(
    behind: int,
    certificate: tuple[Path, Path],
    *,
    asks_first: bool = False,
    clients_of: Authority | None = None,
) -> Iterator[Front]:
    """TLS before a server on a local port.

    Args:
        behind: That server's port.
        certificate: The front's certificate and key.
        asks_first: Whether clients ask for TLS in the clear first, as those of PostgreSQL do.
        clients_of: Whose certificates clients need; None for none.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    # In version 1.3 a client learns only afterwards that its certificate was missing.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if clients_of is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients_of.certificate)
    front = Front(0)
    loop = asyncio.new_event_loop()
    started, stopped = threading.Event(), asyncio.Event()

    async def serve() -> None:
        handler = _Handler(front, behind, context if asks_first else None)
        server = await asyncio.start_server(
            handler.handle, "localhost", 0, ssl=None if asks_first else context
        )
        front.port = server.sockets[0].getsockname()[1]
        started.set()
        await stopped.wait()
        server.close()
        for task in handler.tasks:
            task.cancel()
        await asyncio.gather(*handler.tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert started.wait(60)
        yield front
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(60)
        loop.close()


class _Handler:
    def __init__(self, front: Front, behind: int, context: ssl.SSLContext | None) -> None:
        self._front = front
        self._behind = behind
        self._context = context
        self.tasks: set[asyncio.Task[Any]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._forward(reader, writer)
        writer.transport.abort()
        self.tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = b""
        if self._context is not None:
            first = await reader.readexactly(8)
            if first == _SSL_REQUEST:
                first = b""
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self._context)
        if writer.get_extra_info("ssl_object") is None:
            self._front.plain += 1
        else:
            self._front.encrypted += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        far_writer.write(first)
        try:
            await asyncio.wait(
                [
                    asyncio.create_task(_copy(reader, far_writer)),
                    asyncio.create_task(_copy(far_reader, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            far_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
