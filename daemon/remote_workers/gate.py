"""The process that listens for other machines: it speaks TLS, checks their certificates, and passes frames on.

It is a child of the service with only three open descriptors: a socket that is already listening, a socket to the
service, and the certificate of the service, which is read and closed. It opens no file (see confinement), and of a
frame it reads only the length. It sends the service a header and bytes, which the service decodes as plain data only.

Between the two processes: HEADER (length of the payload, kind, connection), then the payload.
"""

import asyncio
import encodings.idna  # noqa: F401 - asyncio asks for it when files can no longer be opened
import os
import signal
import socket
import ssl
import struct
import time
from contextlib import suppress
from enum import IntEnum
from hashlib import sha256
from typing import Final

from daemon.remote_workers.confinement import confine
from daemon.remote_workers.wire import HELLO_S, LENGTH, MOST_BYTES_FROM_WORKER, Refused, encode, framed
from index import operating_system

HEADER: Final = struct.Struct(">IBI")
FINGERPRINT_BYTES: Final = 32
# Separates the two certificates in their file.
AUTHORITY_BELOW: Final = b"\n# authority\n"
MOST_CONNECTIONS: Final = 64
# The connections, as many more that have not identified themselves yet, and what the process has open anyway.
OPEN_FILES: Final = 2 * MOST_CONNECTIONS + 32
MEMORY_BYTES: Final = 2 * 2**30
# A machine that was invited a moment ago may connect before the service has read its list again (see lender.TICK_S).
LIST_WAIT_S: Final = 2.0
# Holds a batch with its views, so that it is read at once.
BUFFERED_BYTES: Final = 2**20
# Data that a worker has not read yet. The service sends a worker no more than it can do in seconds.
MOST_UNREAD_BYTES: Final = 64 * 2**20


class FromGate(IntEnum):
    """Messages from the gate to the service."""

    READY = 0  # b"1" if the process cannot open files, b"0" if the kernel is unable to forbid it
    OPENED = 1  # the fingerprint, then the address as text
    FRAME = 2
    CLOSED = 3
    ALIVE = 4


class ToGate(IntEnum):
    """Messages from the service to the gate."""

    ALLOW = 0  # the fingerprints of all who are let in, concatenated; others are disconnected
    FRAME = 1
    CLOSE = 2
    ALIVE = 3  # must be answered


def serve(service: int, listening: int, certificates: int, parent: int) -> None:
    """Run until the service has ended. The arguments are descriptors, and the process id of the service."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir("/")
    context = _context(certificates)
    os.close(certificates)
    is_locked = confine(OPEN_FILES, MEMORY_BYTES)
    # Must follow the change of user, which resets it.
    operating_system.die_with_parent()
    if os.getppid() != parent:
        return
    gate = _Gate(socket.socket(fileno=service), socket.socket(fileno=listening), context)
    asyncio.run(gate.run(is_locked))


def _context(certificates: int) -> ssl.SSLContext:
    """TLS 1.3 with certificates on both sides. The file has the certificate of the service with its key, then that of
    the authority."""
    with os.fdopen(os.dup(certificates), "rb") as file:
        file.seek(0)
        _, _, authority = file.read().partition(AUTHORITY_BELOW)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.decode("ascii"))
    context.num_tickets = 0
    context.load_cert_chain(f"/proc/self/fd/{certificates}")
    return context


class _Gate:
    def __init__(self, service: socket.socket, listening: socket.socket, context: ssl.SSLContext) -> None:
        self._service_socket = service
        self._listening = listening
        self._context = context
        self._allowed: frozenset[bytes] = frozenset()
        self._connections: dict[int, tuple[bytes, asyncio.StreamWriter]] = {}
        self._last = 0
        self._service: asyncio.StreamWriter

    async def run(self, is_locked: bool) -> None:
        asked, self._service = await asyncio.open_connection(sock=self._service_socket, limit=BUFFERED_BYTES)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            # The list of those who are let in must be known before anyone is answered.
            await self._handle_next(asked)
            await asyncio.start_server(
                self._serve, sock=self._listening, ssl=self._context, ssl_handshake_timeout=HELLO_S
            )
            self._send(FromGate.READY, 0, b"1" if is_locked else b"0")
            while True:
                await self._handle_next(asked)
        # Exit without waiting for anything: without the service there is nothing to do.
        os._exit(0)

    async def _handle_next(self, asked: asyncio.StreamReader) -> None:
        length, what, connection = HEADER.unpack(await asked.readexactly(HEADER.size))
        self._handle(ToGate(what), connection, await asked.readexactly(length))

    def _send(self, what: FromGate, connection: int, payload: bytes = b"") -> None:
        self._service.write(HEADER.pack(len(payload), what, connection) + payload)

    def _handle(self, what: ToGate, connection: int, payload: bytes) -> None:
        match what:
            case ToGate.ALLOW:
                starts = range(0, len(payload), FINGERPRINT_BYTES)
                self._allowed = frozenset(payload[start : start + FINGERPRINT_BYTES] for start in starts)
                for number, (fingerprint, writer) in list(self._connections.items()):
                    if fingerprint not in self._allowed:
                        _refuse(writer)
                        self._forget(number)
            case ToGate.FRAME if connection in self._connections:
                _, writer = self._connections[connection]
                writer.write(framed(payload))
                if writer.transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
                    writer.transport.abort()
                    self._forget(connection)
            case ToGate.CLOSE if connection in self._connections:
                _, writer = self._connections[connection]
                writer.close()
                self._forget(connection)
            case ToGate.ALIVE:
                self._send(FromGate.ALIVE, 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection after its handshake. Its certificate is known to be signed, but not yet to be on the
        list."""
        fingerprint = sha256(writer.get_extra_info("ssl_object").getpeercert(binary_form=True)).digest()
        end_s = time.monotonic() + LIST_WAIT_S
        while fingerprint not in self._allowed:
            if time.monotonic() > end_s:
                _refuse(writer)
                return
            await asyncio.sleep(0.1)
        if len(self._connections) >= MOST_CONNECTIONS:
            writer.close()
            return
        self._last += 1
        number = self._last
        self._connections[number] = fingerprint, writer
        address = str((writer.get_extra_info("peername") or ("",))[0])
        self._send(FromGate.OPENED, number, fingerprint + address.encode())
        try:
            while number in self._connections:
                (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                if length > MOST_BYTES_FROM_WORKER:
                    break
                frame = await reader.readexactly(length)
                if number in self._connections:
                    self._send(FromGate.FRAME, number, frame)
                    await self._service.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        writer.transport.abort()
        self._forget(number)

    def _forget(self, number: int) -> None:
        if self._connections.pop(number, None) is not None:
            self._send(FromGate.CLOSED, number)


def _refuse(writer: asyncio.StreamWriter) -> None:
    """Report to the client that its certificate is revoked, and disconnect."""
    writer.write(framed(encode(Refused("revoked"))))
    writer.close()
