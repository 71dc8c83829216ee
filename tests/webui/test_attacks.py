"""Attacks over real sockets: connections that drip, flood or never read, requests that are traps, files as bait."""

import contextlib
import http.client
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.database.store import Store
from support.attackers import connection, is_answered, is_dropped_while
from support.weblibrary import Daemon, Library, WebClient, draw_picture, jpeg_bytes, make_client
from webui.downloads import LARGE_AT_MOST
from webui.security import FORWARDING
from webui.server import CONNECTIONS_AT_MOST, CONNECTIONS_OF_ONE, THREADS, Server

IDLE_S = 1
CONTENT = "/api/v1/images/1/content"


@pytest.fixture
def server(store: Store, daemon: Daemon) -> Iterator[Server]:
    """A server that keeps an idle connection for a second."""
    made = Server(make_client(store, daemon).app, "127.0.0.1", 0, IDLE_S)
    made.start()
    yield made
    made.stop()


@pytest.mark.attack("slow loris: a request that drips in")
@pytest.mark.parametrize(
    "beginning",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
    ],
    ids=["header", "body", "chunk"],
)
def test_a_request_that_drips_in_is_dropped(server: Server, beginning: bytes) -> None:
    with connection(server) as raw:
        raw.sendall(beginning)
        assert is_dropped_while(raw, lambda: raw.sendall(b"a"))
    assert is_answered(server)


@pytest.mark.attack("connections that say nothing")
def test_a_connection_that_says_nothing_is_dropped(server: Server) -> None:
    with connection(server) as raw:
        assert is_dropped_while(raw, lambda: None)


@pytest.mark.attack("a reader that does not read its answers")
def test_a_reader_that_does_not_read_gives_its_thread_back(server: Server, library: Library) -> None:
    library.add_file("large.jpg", jpeg_bytes(draw_picture(1)) + b"\0" * 40_000_000)
    readers = []
    for _ in range(20):
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        raw.sendall(f"GET {CONTENT} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        readers.append(raw)
    assert is_answered(server)
    for raw in readers:
        raw.close()


@pytest.mark.attack("a reader that reads a byte at a time")
def test_an_answer_that_is_read_byte_by_byte_is_dropped(server: Server, library: Library) -> None:
    library.add_file("large.jpg", jpeg_bytes(draw_picture(1)) + b"\0" * 12_000_000)
    with connection(server) as raw:
        raw.sendall(f"GET {CONTENT} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        got = sum(len(raw.recv(1)) for _ in range(300) if not time.sleep(0.01))
        # What has left the server by then still comes, and then the end.
        with contextlib.suppress(ConnectionError):
            while chunk := raw.recv(2**20):
                got += len(chunk)
    assert got < 12_000_000


@pytest.mark.attack("slow readers that hold every thread")
def test_readers_of_large_files_leave_threads_for_everybody_else(
    store: Store, daemon: Daemon, library: Library
) -> None:
    library.add_file("large.jpg", jpeg_bytes(draw_picture(1)) + b"\0" * 40_000_000)
    server = Server(make_client(store, daemon).app, "127.0.0.1", 0)
    server.start()
    with contextlib.ExitStack() as readers:
        connections = [readers.enter_context(connection(server)) for _ in range(THREADS + 5)]
        for raw in connections:
            raw.sendall(f"GET {CONTENT} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        begun = [raw.recv(13).split()[1] for raw in connections]
        assert is_answered(server)
    server.stop()
    assert sorted(begun) == [b"200"] * LARGE_AT_MOST + [b"503"] * (len(connections) - LARGE_AT_MOST)


@pytest.mark.attack("one address that takes every connection")
@pytest.mark.parametrize("other", ["127.0.0.1", "127.0.0.2"])
def test_one_address_shuts_out_no_one(store: Store, daemon: Daemon, other: str) -> None:
    server = Server(make_client(store, daemon).app, "127.0.0.1", 0)
    server.start()
    with contextlib.ExitStack() as flood:
        first, *_ = [flood.enter_context(connection(server)) for _ in range(CONNECTIONS_OF_ONE + 30)]
        assert all(is_answered(server, other) for _ in range(30))
        assert first.recv(1) == b""
    server.stop()


@pytest.mark.attack("many addresses that take every connection")
def test_many_addresses_shut_out_no_one(store: Store, daemon: Daemon) -> None:
    server = Server(make_client(store, daemon).app, "127.0.0.1", 0)
    server.start()
    drip = b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{"
    with contextlib.ExitStack() as flood:
        for number in range(CONNECTIONS_AT_MOST + 50):
            flood.enter_context(connection(server, f"127.0.1.{number % 5 + 1}")).sendall(drip)
        assert all(is_answered(server) for _ in range(30))
    server.stop()


@pytest.mark.attack("requests without end or sense")
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 431),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 421),
        (b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"\0\1\2\3\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET /%00%0d%0aSet-Cookie:x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /api/v1/jobs?" + b"&".join([b"a=1"] * 9000) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ],
    ids=["headers", "address", "negative", "endless", "hosts", "coding", "absolute", "binary", "trace", "crlf",
         "query"],
)  # fmt: skip
def test_a_request_without_end_or_sense_is_refused(server: Server, request_: bytes, status: int) -> None:
    with connection(server) as raw:
        answer = b""
        with contextlib.suppress(ConnectionError):
            raw.sendall(request_)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while not (answer.partition(b"\r\n\r\n")[2].endswith(b"}")) and (chunk := raw.recv(65536)):
                answer += chunk
    assert int(answer.split()[1]) == status
    assert b"Set-Cookie" not in answer
    assert b"Traceback" not in answer
    assert is_answered(server)


@pytest.mark.attack("headers that are no text")
@pytest.mark.parametrize("name", ["Cookie", "Accept_Language", "If_None_Match", "Range", "Referer", "User_Agent"])
@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/static/page.css"])
def test_a_header_that_is_no_utf8_costs_nothing(client: WebClient, name: str, path: str) -> None:
    usual = client.get(path).status
    assert client.ask("GET", path, **{name: "language=fr; \xff\xfe"}).status == usual < 500


@pytest.mark.attack("JSON bombs")
@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 50_000, b"1" * 100_000, b'{"kind": "scan", "kind": "detect"}', b'"\\ud800"', b"NaN"],
    ids=["nested", "objects", "number", "twice", "surrogate", "nan"],
)  # fmt: skip
def test_json_that_is_a_trap_is_refused_or_harmless(client: WebClient, body: bytes) -> None:
    answer = client.ask("POST", "/api/v1/jobs", body, Content_Type="application/json")
    assert answer.status in (202, 400)
    assert client.get("/healthz").status == 200


@pytest.mark.attack("path traversal")
@pytest.mark.parametrize(
    "key",
    ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "1/../../../etc/passwd", "%2e%2e", "0", "-1", "1e3", "9" * 30,
     "%d9%a1", "%ff"],
)  # fmt: skip
@pytest.mark.parametrize("what", ["content", "thumbnail"])
def test_an_image_is_asked_for_by_its_number_and_by_nothing_else(
    server: Server, library: Library, key: str, what: str
) -> None:
    library.add_file("a.jpg", jpeg_bytes(draw_picture(1)))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as ask:
        ask.request("GET", f"/api/v1/images/{key}/{what}")
        answer = ask.getresponse()
        assert answer.status == 404
        assert b"root:" not in answer.read()


@pytest.mark.attack("symbolic links placed after indexing")
def test_a_link_in_the_place_of_a_folder_above_leads_nowhere(
    client: WebClient, library: Library, tmp_path: Path
) -> None:
    library.add_file("2019/a.jpg", jpeg_bytes(draw_picture(1)))
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    size = (library.folder / "2019" / "a.jpg").stat().st_size
    (secrets / "a.jpg").write_bytes(b"s" * size)
    (library.folder / "2019").rename(library.folder / "away")
    (library.folder / "2019").symlink_to(secrets)
    answer = client.get(CONTENT)
    assert (answer.status, answer.error["code"]) == (404, "gone")


@pytest.mark.attack("files that are not indexed, at paths in parameters")
def test_a_path_in_a_job_outside_the_roots_reads_nothing(client: WebClient, library: Library) -> None:
    client.send("POST", "/api/v1/jobs", {"kind": "scan", "parameters": {"paths": ["/etc/passwd", "../../etc/shadow"]}})
    assert client.get("/api/v1/images/1").status == 404
    assert client.get("/api/v1/groups?path=/etc").json["items"] == []


@pytest.mark.attack("timing of the comparison of tokens")
def test_tokens_and_sessions_are_compared_in_constant_time(
    store: Store, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def compare(given: bytes, right: bytes) -> bool:
        compared.append((given, right))
        return given == right

    guarded = make_client(store, daemon, token="the-right-token-of-all")
    monkeypatch.setattr("webui.security.hmac.compare_digest", compare)
    guarded.get("/api/v1/status", Authorization="Bearer the-wrong")
    guarded.send("POST", "/login", {"token": "the-wrong-too"})
    guarded.get("/api/v1/status", Cookie="comparimg=9999999999999999999.ab")
    assert [given for given, _ in compared] == [b"the-wrong", b"the-wrong-too", b"ab"]


@pytest.mark.attack("guessing the token")
def test_many_addresses_of_one_network_are_counted_as_one(store: Store, daemon: Daemon) -> None:
    guarded = make_client(store, daemon, token="the-right-token-of-all")
    for number in range(6):
        answer = guarded.send("POST", "/login", {"token": "guess"}, Remote_Addr=f"2001:db8::{number}")
    assert answer.status == 429
    assert guarded.send("POST", "/login", {"token": "guess"}, Remote_Addr="2001:db8:0:1::1").status == 401
    assert guarded.send("POST", "/login", {"token": "guess"}, Remote_Addr="::ffff:10.0.0.1").status == 401


@pytest.mark.attack("theft of the session cookie by scripts or other sites")
def test_behind_a_proxy_with_tls_the_cookie_never_goes_in_the_clear(store: Store, daemon: Daemon) -> None:
    guarded = make_client(store, daemon, token="the-right-token-of-all", names=("photos.example",))
    over_tls = {"Origin": "https://photos.example", "Host": "photos.example"}
    answer = guarded.send("POST", "/login", {"token": "the-right-token-of-all"}, **over_tls)
    assert answer.headers["Set-Cookie"].endswith("; Secure")
    assert "Secure" not in guarded.send("POST", "/login", {"token": "the-right-token-of-all"}).headers["Set-Cookie"]


@pytest.mark.attack("proxy headers sent by anyone")
def test_an_address_in_a_header_does_not_dodge_the_limit(store: Store, daemon: Daemon) -> None:
    server = Server(make_client(store, daemon, token="the-right-token-of-all").app, "127.0.0.1", 0)
    server.start()
    statuses = []
    for number in range(7):
        ask = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        headers = {"Authorization": "Bearer no", "X-Forwarded-For": f"10.0.0.{number}"}
        ask.request("GET", "/api/v1/status", headers=headers)
        statuses.append(ask.getresponse().status)
        ask.close()
    server.stop()
    assert statuses == [401] * 5 + [429] * 2


@pytest.mark.attack("set-up from another machine through a proxy or a further name")
@pytest.mark.parametrize("name", sorted(FORWARDING))
def test_the_headers_of_a_proxy_reach_the_check_of_set_up(server: Server, name: str) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as ask:
        ask.request("GET", "/api/v1/folders", headers={name.removeprefix("HTTP_").replace("_", "-"): "1.2.3.4"})
        assert ask.getresponse().status == 403


def test_an_answer_that_is_read_slowly_but_steadily_arrives_whole(server: Server, library: Library) -> None:
    library.add_file("large.jpg", jpeg_bytes(draw_picture(1)) + os.urandom(3_000_000))
    with connection(server) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.sendall(f"GET {CONTENT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        received = bytearray()
        while chunk := raw.recv(262144):
            received += chunk
            time.sleep(0.02)
    assert received.endswith((library.folder / "large.jpg").read_bytes()[-100:])
