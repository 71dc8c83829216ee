"""The server and the streams of events over real sockets."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from index.database.records import jobs
from index.database.store import Store
from index.errors import ComparImgError
from index.model import JobKind
from support.weblibrary import Daemon, Library, WebClient, make_client
from webui.events import STREAMS_AT_MOST
from webui.routes import BODY_LIMIT_BYTES
from webui.server import Server


@pytest.fixture
def server(store: Store, daemon: Daemon) -> Iterator[Server]:
    made = Server(make_client(store, daemon, stream_lifetime_s=30).app, "127.0.0.1", 0)
    made.start()
    yield made
    made.stop()


def connect(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)


def follow(server: Server) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = connect(server)
    connection.request("GET", "/api/v1/events")
    return connection, connection.getresponse()


def next_event(answer: http.client.HTTPResponse) -> tuple[str, Any]:
    name = ""
    while True:
        line = answer.readline().decode().rstrip("\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        if line.startswith("data: "):
            return name, json.loads(line.removeprefix("data: "))


def test_it_answers_at_a_free_port_and_stops_without_leaving_a_thread(store: Store, daemon: Daemon) -> None:
    before = threading.active_count()
    server = Server(make_client(store, daemon).app, "127.0.0.1", 0)
    server.start()
    assert server.port > 0
    assert server.address == f"http://localhost:{server.port}/"
    connection = connect(server)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    assert (answer.status, answer.read(), answer.getheader("Server")) == (200, b'{"status": "ok"}', None)
    assert "comparimg-web" in [thread.name for thread in threading.enumerate()]
    server.stop()
    assert not server.alive
    assert threading.active_count() == before
    connection.close()


def test_one_that_was_never_started_stops_too(store: Store, daemon: Daemon) -> None:
    Server(make_client(store, daemon).app, "127.0.0.1", 0).stop()


def test_a_port_in_use_is_reported_at_construction(store: Store, daemon: Daemon, server: Server) -> None:
    before = threading.active_count()
    with pytest.raises(ComparImgError, match="cannot listen"):
        Server(make_client(store, daemon).app, "127.0.0.1", server.port)
    assert threading.active_count() == before


def test_what_the_server_itself_refuses_has_the_one_shape(server: Server) -> None:
    for request, status in (
        (b"NONSENSE\r\n\r\n", b"400"),
        (
            b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT_BYTES * 2),
            b"413",
        ),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(request)
            received = b""
            while chunk := raw.recv(65536):
                received += chunk
        head, _, body = received.rpartition(b"\r\n\r\n")
        assert head.split()[1] == status
        assert set(json.loads(body)["error"]) >= {"code", "message", "message_code", "field", "hint"}


def test_a_stream_sends_the_state_at_once_and_then_what_changes(server: Server, library: Library, store: Store) -> None:
    connection, answer = follow(server)
    assert answer.getheader("Content-Type") == "text/event-stream"
    first = dict(next_event(answer) for _ in range(6))
    assert set(first) == {"status", "progress", "roots", "groups", "problems", "decisions"}
    assert first["progress"] == {"jobs": []}
    store.write(lambda db: jobs.add(db, JobKind.SCAN, {}, "user"))
    name, data = next_event(answer)
    assert (name, data["jobs"][0]["state"]) == ("progress", "queued")
    library.add_problem("broken.jpg")
    later = dict(next_event(answer) for _ in range(3))
    assert later["problems"] == {"total": 1}
    connection.close()


def test_the_number_of_streams_is_limited_and_a_place_is_released(server: Server) -> None:
    streams = [follow(server) for _ in range(STREAMS_AT_MOST)]
    assert all(answer.status == 200 for _, answer in streams)
    connection, refused = follow(server)
    assert (refused.status, refused.getheader("Retry-After")) == (503, "30")
    connection.close()
    other = connect(server)
    other.request("GET", "/api/v1/status")
    assert other.getresponse().status == 200
    other.close()
    for connection, answer in streams:
        answer.close()
        connection.close()
    # Nothing is sent meanwhile: a reader that has left is noticed nevertheless.
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        connection, answer = follow(server)
        connection.close()
        if answer.status == 200:
            break
    assert answer.status == 200


def test_open_streams_do_not_hold_up_the_stop(store: Store, daemon: Daemon) -> None:
    server = Server(make_client(store, daemon, stream_lifetime_s=600).app, "127.0.0.1", 0)
    server.start()
    connection, answer = follow(server)
    next_event(answer)
    server.stop()
    assert not server.alive
    connection.close()


def test_a_stream_ends_after_its_lifetime(client: WebClient) -> None:
    answer = client.get("/api/v1/events")
    assert answer.body.startswith(b"retry: 3000\n\nevent: status\n")


def test_a_head_request_releases_its_place(client: WebClient) -> None:
    for _ in range(STREAMS_AT_MOST + 2):
        assert client.ask("HEAD", "/api/v1/events").status == 200
