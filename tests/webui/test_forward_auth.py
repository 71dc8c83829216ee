"""A trusted proxy names the user; whatever else sends its header is asked for the token."""

import contextlib
import logging
import socket
from collections.abc import Iterator

import pytest

from index.database.store import Store
from support.weblibrary import Daemon, WebClient, make_client
from webui.forward_auth import LONGEST_NAME, ForwardAuth
from webui.routes import API
from webui.security import TRIES
from webui.server import Server

TOKEN = "s3cret-t0ken-of-the-page"
PROXY = "172.18.0.2"
PAGE = {"Accept": "text/html,*/*", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
STATUS = f"{API}/status"


@pytest.fixture
def behind(store: Store, daemon: Daemon) -> WebClient:
    """The page behind a proxy at PROXY that sends Remote-User."""
    return make_client(
        store, daemon, host="0.0.0.0", token=TOKEN, names=("photos.example",), auth_header="Remote-User",
        auth_proxies=(PROXY, "fd00::/64"),
    ).with_headers(Host="photos.example")  # fmt: skip


def test_a_user_whom_the_proxy_names_needs_no_token(behind: WebClient) -> None:
    assert behind.get(STATUS, Remote_Addr=PROXY, Remote_User="alice").status == 200
    assert behind.get("/", Remote_Addr=PROXY, Remote_User="alice", **PAGE).status == 200
    assert behind.send("POST", f"{API}/jobs", {"kind": "scan"}, Remote_Addr=PROXY, Remote_User="alice").status == 202


def test_a_user_whom_the_proxy_names_may_set_up_as_with_the_token(behind: WebClient) -> None:
    named = {"Remote_Addr": PROXY, "Remote_User": "alice", "X-Forwarded-For": "203.0.113.7"}
    assert behind.get(f"{API}/folders", **named).status == 200
    refused = behind.get(f"{API}/folders", Remote_Addr=PROXY, **{"X-Forwarded-For": "203.0.113.7"})
    assert (refused.status, refused.error["code"]) == (401, "token_needed")


def test_logging_out_is_offered_only_where_it_has_an_effect(behind: WebClient) -> None:
    cookie = behind.send("POST", "/login", {"token": TOKEN}).headers["Set-Cookie"].split(";")[0]
    assert b"data-log-out" in behind.get("/", Remote_Addr=PROXY, Cookie=cookie, **PAGE).body
    assert b"data-log-out" not in behind.get("/", Remote_Addr=PROXY, Remote_User="alice", **PAGE).body
    signed_in_twice = behind.get("/", Remote_Addr=PROXY, Remote_User="alice", Cookie=cookie, **PAGE)
    assert b"data-log-out" not in signed_in_twice.body
    assert (
        b"data-log-out" in behind.get("/", Remote_Addr="203.0.113.7", Remote_User="alice", Cookie=cookie, **PAGE).body
    )


def test_the_token_and_a_session_are_as_good_as_before(behind: WebClient) -> None:
    assert behind.get(STATUS, Authorization=f"Bearer {TOKEN}").status == 200
    cookie = behind.send("POST", "/login", {"token": TOKEN}).headers["Set-Cookie"].split(";")[0]
    assert behind.get(STATUS, Cookie=cookie).status == 200
    assert behind.get(STATUS, Remote_Addr=PROXY, Cookie=cookie).status == 200


@pytest.mark.attack("the user's header of forward authentication, from another address")
@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "172.18.0.3", "172.18.0.20", "203.0.113.7", "::ffff:172.18.0.3", "fd00:0:0:1::1",
     "2001:db8::1", "localhost", "", "172.18.0.2.evil.example", "172.18.0.2, 203.0.113.7", "172.018.0.2", "0xac120002",
     "2886860802"],
)  # fmt: skip
def test_the_header_from_any_other_address_is_ignored(behind: WebClient, address: str) -> None:
    answer = behind.get(STATUS, Remote_Addr=address, Remote_User="alice")
    assert (answer.status, answer.error["code"]) == (401, "token_needed")
    assert behind.get("/", Remote_Addr=address, Remote_User="alice", **PAGE).headers["Location"] == "/login"
    with_token = behind.get(STATUS, Remote_Addr=address, Remote_User="alice", Authorization=f"Bearer {TOKEN}")
    assert with_token.status == 200, "it does no harm beside the token either"


@pytest.mark.parametrize("address", [PROXY, f"::ffff:{PROXY}", "fd00::1234", "fd00::1234%eth0", f"::FFFF:{PROXY}"])
def test_one_address_is_the_same_however_the_system_writes_it(behind: WebClient, address: str) -> None:
    assert behind.get(STATUS, Remote_Addr=address, Remote_User="alice").status == 200


@pytest.mark.attack("an address that writes a line of its own into the log")
def test_an_address_is_one_line_of_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert status_of(server, "127.0.0.2", "Remote-User: alice", request="POST /x%0AINFO%20all%20is%20well") == 404
    assert "POST /x%0AINFO%20all%20is%20well by alice" in caplog.text
    assert "\nINFO all" not in caplog.text


@pytest.mark.attack("headers of forward authentication without a name, doubled, or of another name")
@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Remote_User": ""}, {"Remote_User": "  \t "}, {"Remote_User": "mallory, alice"}, {"Remote_User": ",alice"},
        {"Remote_User": "{http.reverse_proxy.header.Remote-User}"},
        {"Remote_User": "alice\0"}, {"Remote_User": "alice\nbob"}, {"Remote_User": "a" * (LONGEST_NAME + 1)},
        {"Remote_Users": "alice"}, {"X_Remote_User": "alice"}, {"Remote_Name": "alice"}, {"User": "alice"},
    ],
)  # fmt: skip
def test_a_header_that_names_no_one_is_no_token(behind: WebClient, headers: dict[str, str]) -> None:
    answer = behind.get(STATUS, Remote_Addr=PROXY, **headers)
    assert (answer.status, answer.error["code"]) == (401, "token_needed")


@pytest.mark.attack("an address in X-Forwarded-For that is the trusted proxy's")
@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host", "CF-Connecting-IP"])
def test_no_header_changes_the_address_of_the_connection(behind: WebClient, name: str) -> None:
    value = f"for={PROXY}" if name == "Forwarded" else PROXY
    assert behind.get(STATUS, Remote_Addr="203.0.113.7", Remote_User="alice", **{name: value}).status == 401


@pytest.mark.attack("cross-site requests of a user who is signed in at the proxy")
def test_a_named_user_is_no_way_around_the_other_checks(behind: WebClient) -> None:
    named = {"Remote_Addr": PROXY, "Remote_User": "alice"}
    assert behind.get(STATUS, **named, Host="evil.example").error["code"] == "wrong_host"
    for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert behind.send("POST", f"{API}/jobs", {"kind": "scan"}, **named, **headers).error["code"] == "other_site"
    form = behind.ask("POST", f"{API}/jobs", b'{"kind": "scan"}', Content_Type="text/plain", **named)
    assert form.error["code"] == "not_json"


@pytest.mark.attack("guessing the token")
def test_a_header_that_is_ignored_neither_guesses_nor_helps_to(behind: WebClient) -> None:
    for _ in range(2 * TRIES):
        assert behind.get(STATUS, Remote_User="alice").status == 401
    for _ in range(TRIES):
        assert behind.get(STATUS, Remote_User="alice", Authorization="Bearer guess").status == 401
    assert behind.get(STATUS, Remote_User="alice", Authorization="Bearer guess").status == 429


@pytest.mark.attack("the user's header of forward authentication, where none is configured")
@pytest.mark.parametrize(
    "web",
    [{}, {"auth_header": "Remote-User"}, {"auth_proxies": ("0.0.0.0/0", "::/0")}],
    ids=["neither", "no proxy", "no header"],
)
def test_without_both_settings_no_header_is_believed(store: Store, daemon: Daemon, web: dict[str, object]) -> None:
    client = make_client(store, daemon, token=TOKEN, **web)
    assert client.get(STATUS, Remote_User="alice").status == 401


def test_what_is_not_believed_does_not_reach_the_app() -> None:
    auth = ForwardAuth("rEmOtE-uSeR", (PROXY,))
    for environ, kept in (
        ({"REMOTE_ADDR": PROXY, "HTTP_REMOTE_USER": "alice"}, True),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_REMOTE_USER": "alice"}, False),
        ({"REMOTE_ADDR": PROXY, "HTTP_REMOTE_USER": "a, b"}, False),
        ({"HTTP_REMOTE_USER": "alice"}, False),
    ):
        auth.remove_untrusted(environ)
        assert ("HTTP_REMOTE_USER" in environ) is kept


def test_a_name_is_read_as_utf8() -> None:
    auth = ForwardAuth("X-Forwarded-User", (PROXY,))
    for name in ("José", "Àlex", "山田", "O'Brien", "alice@example.org"):
        sent = name.encode().decode("latin-1")
        assert auth.user({"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_USER": sent}) == name


def test_the_settings_may_change_while_requests_are_served(behind: WebClient) -> None:
    named = {"Remote_Addr": PROXY, "Remote_User": "alice"}
    assert behind.get(STATUS, **named).status == 200
    policy = behind.app._policy
    behind.app.set_access(type(policy.access)("0.0.0.0", 5000, TOKEN, "", ("photos.example",)))
    assert behind.get(STATUS, **named).status == 401


@pytest.mark.parametrize(
    ("proxies", "warns"), [(("0.0.0.0/0",), True), (("10.0.0.1", "::/0"), True), ((PROXY,), False)]
)
def test_a_header_that_is_believed_from_everywhere_is_logged(
    store: Store, daemon: Daemon, caplog: pytest.LogCaptureFixture, proxies: tuple[str, ...], warns: bool
) -> None:
    make_client(store, daemon, token=TOKEN, auth_header="Remote-User", auth_proxies=proxies)
    assert ("from every address" in caplog.text) is warns


def test_a_change_is_logged_with_the_name_and_never_a_look(behind: WebClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    named = {"Remote_Addr": PROXY, "Remote_User": "alice"}
    behind.get(STATUS, **named)
    assert "alice" not in caplog.text
    behind.send("POST", f"{API}/jobs", {"kind": "scan"}, **named)
    assert f"POST {API}/jobs by alice" in caplog.text


# Over real sockets, with what a server makes of headers before the app sees them


@pytest.fixture
def server(store: Store, daemon: Daemon) -> Iterator[Server]:
    """A server that believes 127.0.0.2 and not 127.0.0.1."""
    web = {"token": TOKEN, "auth_header": "Remote-User", "auth_proxies": ("127.0.0.2",)}
    made = Server(make_client(store, daemon, **web).app, "127.0.0.1", 0)
    made.start()
    yield made
    made.stop()


def status_of(server: Server, source: str, *lines: str, request: str = f"GET {STATUS}") -> int:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=(source, 0)) as raw:
        head = "".join(f"{line}\r\n" for line in (f"{request} HTTP/1.1", "Host: localhost", *lines))
        raw.sendall(f"{head}Connection: close\r\n\r\n".encode("latin-1"))
        answer = b""
        with contextlib.suppress(ConnectionError):
            while chunk := raw.recv(65536):
                answer += chunk
    return int(answer.split()[1])


@pytest.mark.parametrize(
    "line", ["Remote-User: alice", "remote-user: alice", "REMOTE-USER:alice", "rEmote-usEr: alice"]
)
def test_the_name_of_the_header_has_no_case(server: Server, line: str) -> None:
    assert status_of(server, "127.0.0.2", line) == 200
    assert status_of(server, "127.0.0.1", line) == 401


@pytest.mark.attack("headers of forward authentication without a name, doubled, or of another name")
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Remote-User: mallory", "Remote-User: alice"], 401),
        (["Remote-User: alice", "remote-user: alice"], 401),
        (["Remote-User: ", "Remote-User: alice"], 401),
        (["Remote_User: alice"], 401),
        (["Remote_User: alice", "Remote-User: "], 401),
        (["Remote-User:"], 401),
        (["Remote-User : alice"], 400),
        (["X: y", " Remote-User: alice"], 401),
        (["X-Y: z\r\r\nRemote-User: alice"], 400),
    ],
    ids=["two", "twice", "empty first", "underscore", "both", "empty", "blank in name", "continued", "bare cr"],
)
def test_a_doubled_or_disguised_header_is_refused_from_the_proxy_too(
    server: Server, lines: list[str], status: int
) -> None:
    assert status_of(server, "127.0.0.2", *lines) == status
    assert status_of(server, "127.0.0.1", *lines) in (400, 401)


@pytest.mark.attack("an address in X-Forwarded-For that is the trusted proxy's")
@pytest.mark.parametrize(
    "line", ["X-Forwarded-For: 127.0.0.2", "Forwarded: for=127.0.0.2", "X-Real-IP: 127.0.0.2", "Remote-Addr: 127.0.0.2"]
)
def test_the_server_takes_the_address_of_the_connection(server: Server, line: str) -> None:
    assert status_of(server, "127.0.0.1", line, "Remote-User: alice") == 401
    assert status_of(server, "127.0.0.2", line.replace("127.0.0.2", "203.0.113.7"), "Remote-User: alice") == 200


@pytest.mark.attack("the user's header of forward authentication, from another address")
def test_each_request_of_a_connection_is_checked(server: Server) -> None:
    """A proxy sends the requests of many users over one connection."""
    named = f"GET {STATUS} HTTP/1.1\r\nHost: localhost\r\nRemote-User: alice\r\n\r\n"
    unnamed = f"GET {STATUS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=("127.0.0.2", 0)) as raw:
        raw.sendall((named + unnamed).encode())
        answer = b""
        while chunk := raw.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 401" in answer
