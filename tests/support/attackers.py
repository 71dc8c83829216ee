"""Clients that attack a server over sockets, and clients that want to be answered meanwhile."""

import contextlib
import http.client
import socket
import time
from collections.abc import Callable, Iterator

from webui.server import Server


@contextlib.contextmanager
def connection(server: Server, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=(source, 0)) as raw:
        yield raw


def is_answered(server: Server, source: str = "127.0.0.1") -> bool:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", server.port, timeout=10, source_address=(source, 0))
    ) as ask:
        ask.request("GET", "/healthz")
        return ask.getresponse().status == 200


def is_dropped_while(raw: socket.socket, drip: Callable[[], object]) -> bool:
    """Whether the other end closes the connection although something is sent again and again."""
    end_s = time.monotonic() + 10
    raw.settimeout(0.1)
    while time.monotonic() < end_s:
        try:
            drip()
            if raw.recv(4096) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False
