"""A worker of one's own making: connects as one that was invited, and says what it likes."""

import socket
import ssl
from pathlib import Path
from typing import Any, Self

from daemon.remote_workers import wire
from daemon.remote_workers.invitation import Invitation
from daemon.version import VERSION


class Rogue:
    """One connection. Raises OSError (of which ssl's errors are) where it is refused."""

    def __init__(self, invitation: Invitation, folder: Path, *, version: ssl.TLSVersion | None = None) -> None:
        file = folder / "rogue.pem"
        file.write_text(invitation.certificate + invitation.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=invitation.authority)
        context.load_cert_chain(file)
        if version is not None:
            context.maximum_version = version
        plain = socket.create_connection((invitation.host, invitation.port), 10)
        try:
            self._end = context.wrap_socket(plain, server_hostname=wire.SERVICE_NAME)
        finally:
            # Of a handshake that failed; else it no longer has a descriptor.
            plain.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def say(self, message: wire.FromWorker | bytes) -> None:
        self._end.sendall(wire.framed(message if isinstance(message, bytes) else wire.encode(message)))

    def say_bytes(self, data: bytes) -> None:
        self._end.sendall(data)

    def answer(self, *answers: wire.Done | wire.Failed) -> None:
        self.say(wire.Answers(answers))

    def greet(self, *can: str, version: str = VERSION) -> None:
        self.say(wire.Hello(wire.PROTOCOL, version, 1, can))

    def hear(self) -> Any:
        """The next message that is not only a sign of life; None if the connection is ended."""
        while True:
            try:
                (length,) = wire.LENGTH.unpack(self._exactly(wire.LENGTH.size))
                message = wire.of_service(self._exactly(length))
            except (EOFError, ConnectionError, ssl.SSLError):
                return None
            if not isinstance(message, wire.Heartbeat):
                return message

    def is_cut_off(self) -> bool:
        """Whether the connection ends, whatever comes before."""
        while self.hear() is not None:
            pass
        return True

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._end.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data
