"""Many clients, slow ones, those that never read: others are answered, and all that they held comes back."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from index.database.store import Store
from support.attackers import connection, is_answered, is_dropped_while
from support.serving import until
from support.weblibrary import Daemon, Library, draw_picture, jpeg_bytes, make_client
from webui.server import CONNECTIONS_OF_ONE, THREADS, Server

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

IDLE_S = 1
IDLE_CONNECTIONS = 500
GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def server(store: Store, daemon: Daemon) -> Iterator[Server]:
    """A server that keeps an idle connection for a second."""
    made = Server(make_client(store, daemon).app, "127.0.0.1", 0, IDLE_S)
    made.start()
    assert is_answered(made)
    yield made
    made.stop()


def held() -> tuple[int, int]:
    """Threads and open files, of the server and the test. Not those of the index: SQLite keeps one for each of the
    threads that once read at a time, for the next."""
    files = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            files.append(os.readlink(f"/proc/self/fd/{number}"))
    return threading.active_count(), sum("index.sqlite3" not in file for file in files)


@pytest.mark.attack("slow loris: a request that drips in")
@pytest.mark.parametrize(
    ("beginning", "drip"),
    [
        (b"GET /", b"a"),
        (b"", b"\r\n"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n"),
        (POST + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n", b"a"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    ],
    ids=["line", "blank lines", "headers", "expected", "chunks", "trailers"],
)
def test_a_request_is_whole_in_time_or_dropped(server: Server, beginning: bytes, drip: bytes) -> None:
    before = held()
    with connection(server) as raw:
        raw.sendall(beginning)
        assert is_dropped_while(raw, lambda: raw.sendall(drip))
    assert is_answered(server)
    until(lambda: held() <= before)


@pytest.mark.attack("hundreds of connections that say nothing")
@pytest.mark.parametrize("addresses", [1, 5])
def test_hundreds_of_idle_connections_are_closed(server: Server, addresses: int) -> None:
    before = held()
    with ExitStack() as idle:
        for number in range(IDLE_CONNECTIONS):
            idle.enter_context(connection(server, f"127.0.1.{number % addresses + 1}"))
            if number % 50 == 0:
                assert is_answered(server)
        assert is_answered(server)
        until(lambda: held()[1] <= before[1] + IDLE_CONNECTIONS)
    assert is_answered(server)
    until(lambda: held() <= before)


@pytest.mark.attack("a reader that does not read its answers")
@pytest.mark.parametrize(
    ("path", "requests"),
    [(b"/api/v1/images/1/content", 1), (b"/api/v1/images/1/content", 50), (b"/api/v1/settings", 500)],
    ids=["large", "large, pipelined", "many, pipelined"],
)
def test_who_does_not_read_gives_back_threads_and_files(
    server: Server, library: Library, path: bytes, requests: int
) -> None:
    library.add_file("large.jpg", jpeg_bytes(draw_picture(1)) + b"\0" * 20_000_000)
    before = held()
    with ExitStack() as readers:
        for _ in range(THREADS + 5):
            raw = readers.enter_context(connection(server))
            raw.settimeout(0.2)
            with suppress(TimeoutError):
                raw.sendall(GET % path * requests)
        assert is_answered(server)
        until(lambda: held() <= (before[0], before[1] + THREADS + 5))
        assert is_answered(server)
    until(lambda: held() <= before)


@pytest.mark.attack("pipelined requests")
def test_pipelined_requests_are_answered_in_their_order(server: Server) -> None:
    with connection(server) as raw:
        paths = [b"/healthz", b"/nothing", b"/api/v1/status"] * 40
        raw.sendall(b"".join(GET % path for path in paths))
        with raw.makefile("rb") as answers:
            statuses = [read_answer(answers.readline, answers.read) for _ in paths]
    assert statuses == [200, 404, 200] * 40


def read_answer(readline: Callable[[], bytes], read: Callable[[int], bytes]) -> int:
    status, length = int(readline().split()[1]), 0
    while (line := readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    assert len(read(length)) == length
    return status


@pytest.mark.attack("pipelined requests that are not waited for")
def test_who_goes_away_before_the_answers_costs_nothing(server: Server) -> None:
    before = held()
    for _ in range(CONNECTIONS_OF_ONE):
        with connection(server) as raw:
            raw.sendall(GET % b"/api/v1/status" * 20)
    began_s = time.monotonic()
    assert is_answered(server)
    assert time.monotonic() - began_s < 5
    until(lambda: held() <= before)
