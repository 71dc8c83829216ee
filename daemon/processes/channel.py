"""Length-prefixed messages over a socket between a worker process and the service."""

import socket
import struct
from typing import Final

LENGTH: Final = struct.Struct("<I")
RECEIVED_BYTES: Final = 2**18


class Channel:
    """One end. Used by one thread only."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._received = bytearray()

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, *messages: bytes) -> None:
        """Raises OSError when the other end has closed. Blocks while the other end has not read earlier messages."""
        self._end.sendall(b"".join(LENGTH.pack(len(message)) + message for message in messages))

    def receive(self) -> list[bytes]:
        """Every message that has arrived; waits for one. Raises EOFError when the other end has closed."""
        while not (messages := self._split()):
            try:
                piece = self._end.recv(RECEIVED_BYTES)
            except ConnectionError as error:
                raise EOFError from error
            if not piece:
                raise EOFError
            self._received += piece
        return messages

    def close(self) -> None:
        self._end.close()

    def _split(self) -> list[bytes]:
        messages, start = [], 0
        while len(self._received) >= start + LENGTH.size:
            (length,) = LENGTH.unpack_from(self._received, start)
            end = start + LENGTH.size + length
            if len(self._received) < end:
                break
            messages.append(bytes(self._received[start + LENGTH.size : end]))
            start = end
        del self._received[:start]
        return messages
