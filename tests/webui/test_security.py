"""A test for each attack that is refused, and for what has to stay possible."""

import logging
from typing import Any

import pytest

from index.database.store import Store
from support.weblibrary import Daemon, Library, WebClient, make_client
from webui.http_errors import HttpError
from webui.routes import BODY_LIMIT_BYTES
from webui.security import ADDRESSES_KEPT, TRIES, TRIES_WINDOW_NS, AccessPolicy
from webui.services import WebAccess

JOB = {"kind": "scan"}
TOKEN = "s3cret-t0ken"
PAGE = {"Accept": "text/html,*/*", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}


# By what name it is called


@pytest.mark.attack("DNS rebinding: our address under another name")
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:5000",
        "127.0.0.1.evil.example",
        "192.168.1.5",
        "",
        "localhost@evil",
        "[",
        "0.0.0.0",
    ],
)
def test_another_name_is_refused(client: WebClient, host: str) -> None:
    """DNS rebinding: the attacker's name leads to our address, and the browser sends that name."""
    answer = client.get("/api/v1/status", Host=host)
    assert (answer.status, answer.error["code"]) == (421, "wrong_host")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LOCALHOST:5000", "127.0.0.1", "[::1]:5000", "localhost."]
)
def test_the_loopback_by_any_port_is_answered(client: WebClient, host: str) -> None:
    assert client.get("/api/v1/status", Host=host).status == 200


def test_an_open_address_is_called_by_number_or_by_a_configured_name(store: Store, daemon: Daemon) -> None:
    client = make_client(store, daemon, host="0.0.0.0", token=TOKEN, names=("nas.example",))
    client = client.with_headers(Authorization=f"Bearer {TOKEN}")
    for host in ("192.168.1.5:5000", "[fe80::1]:5000", "nas.example", "localhost"):
        assert client.get("/api/v1/status", Host=host).status == 200
    assert client.get("/api/v1/status", Host="evil.example").status == 421


# Where the request comes from


@pytest.mark.attack("cross-site requests, by Origin and Fetch Metadata")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:9999"}, {"Origin": "http://localhost"},
        {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Origin": "http://["},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/jobs"), ("GET", "/api/v1/status"), ("GET", "/api/v1/events"), ("DELETE", "/api/v1/jobs/1")],
)
def test_another_site_can_neither_change_nor_read_anything(
    client: WebClient, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = client.send(method, path, JOB, **headers)
    assert (answer.status, answer.error["code"]) == (403, "other_site")
    assert client.get("/api/v1/jobs").json["total"] == 0


def test_our_own_page_and_programs_are_let_in(client: WebClient) -> None:
    own = {"Origin": "http://localhost:5000", "Sec_Fetch_Site": "same-origin"}
    assert client.send("POST", "/api/v1/jobs", JOB, **own).status == 202
    assert client.send("POST", "/api/v1/jobs", JOB).status == 202


@pytest.mark.attack("embedding and clickjacking from another site")
def test_a_link_elsewhere_may_lead_to_a_page_but_nothing_may_be_embedded(client: WebClient) -> None:
    assert client.get("/", Sec_Fetch_Site="cross-site", **PAGE).status == 200
    assert client.get("/", **PAGE | {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "iframe"}).status == 403
    assert client.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="image").status == 403
    assert client.get("/api/v1/images/1/content", Sec_Fetch_Site="cross-site", **PAGE).status == 403


@pytest.mark.attack("cross-site forms without preflight")
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_another_site_is_no_json(client: WebClient, media_type: str) -> None:
    answer = client.ask("POST", "/api/v1/jobs", b'{"kind": "scan"}', Content_Type=media_type)
    assert (answer.status, answer.error["code"]) == (415, "not_json")


# What a browser may do with the answers


@pytest.mark.attack("answers without a security policy")
@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/nowhere", "/api/v1/events", "/favicon.ico", "/healthz"])
def test_every_answer_has_the_security_headers(client: WebClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Server" not in headers


def test_a_refusal_has_them_too(client: WebClient) -> None:
    assert client.get("/", Host="evil.example").headers["X-Content-Type-Options"] == "nosniff"


# Sizes


@pytest.mark.attack("bodies and headers without end")
def test_a_body_that_is_too_large_is_refused_unread(client: WebClient) -> None:
    answer = client.ask(
        "POST", "/api/v1/jobs", b"", Content_Type="application/json", Content_Length=str(BODY_LIMIT_BYTES + 1)
    )
    assert (answer.status, answer.error["code"]) == (413, "too_large")
    assert client.ask("POST", "/api/v1/jobs", b"", Content_Length="many").status == 400


# The token


@pytest.fixture
def guarded(store: Store, daemon: Daemon) -> WebClient:
    return make_client(store, daemon, token=TOKEN)


@pytest.fixture
def access() -> WebAccess:
    return WebAccess(token=TOKEN)


def log_in(client: WebClient, token: str, **headers: str) -> Any:
    return client.send("POST", "/login", {"token": token}, **headers)


@pytest.mark.attack("requests without the token, or with a wrong one")
@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer \udcff"]
)
def test_without_the_token_nothing_is_shown(guarded: WebClient, given: str) -> None:
    answer = guarded.get("/api/v1/status", Authorization=given)
    assert (answer.status, answer.error["code"]) == (401, "token_needed")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.attack("addresses that forget to ask for the token")
@pytest.mark.parametrize(
    "path",
    ["/api/v1/images/1/content", "/api/v1/images/1/thumbnail", "/api/v1/events", "/api/v1/openapi.json", "/nowhere"],
)
def test_no_address_is_forgotten(guarded: WebClient, path: str) -> None:
    assert guarded.get(path).status == 401


def test_the_token_opens(guarded: WebClient) -> None:
    assert guarded.get("/api/v1/status", Authorization=f"Bearer {TOKEN}").status == 200


@pytest.mark.attack("what is open without a token, asked for secrets")
def test_health_and_the_login_page_are_open_and_show_nothing(guarded: WebClient) -> None:
    assert guarded.get("/healthz").json == {"status": "ok"}
    assert guarded.get("/login", **PAGE).status == 200
    assert TOKEN.encode() not in guarded.get("/login", **PAGE).body
    moved = guarded.get("/", **PAGE)
    assert (moved.status, moved.headers["Location"]) == (303, "/login")


@pytest.mark.attack("theft of the session cookie by scripts or other sites")
def test_the_login_gives_a_cookie_that_scripts_cannot_read(guarded: WebClient, daemon: Daemon) -> None:
    answer = log_in(guarded, TOKEN)
    assert answer.status == 204
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    value = cookie.split(";")[0]
    assert guarded.get("/api/v1/status", Cookie=value).status == 200
    assert guarded.get("/", Cookie=value, **PAGE).status == 200
    daemon.clock_ns += 31 * 86_400 * 10**9
    assert guarded.get("/api/v1/status", Cookie=value).status == 401


@pytest.mark.attack("forged and altered session cookies")
@pytest.mark.parametrize(
    "change", ["comparimg=", "comparimg=1.2", "comparimg=9999999999999999999.00", "comparimg=x.y", 'comparimg="', "=;"]
)
def test_a_made_up_cookie_is_no_session(guarded: WebClient, change: str) -> None:
    assert guarded.get("/api/v1/status", Cookie=change).status == 401


@pytest.mark.attack("forged and altered session cookies")
def test_a_cookie_of_another_token_or_with_a_later_end_is_no_session(
    store: Store, daemon: Daemon, guarded: WebClient
) -> None:
    other = make_client(store, daemon, token="another")
    value = log_in(other, "another").headers["Set-Cookie"].split(";")[0]
    assert guarded.get("/api/v1/status", Cookie=value).status == 401
    name, _, rest = log_in(guarded, TOKEN).headers["Set-Cookie"].split(";")[0].partition("=")
    expires, _, signature = rest.partition(".")
    assert guarded.get("/api/v1/status", Cookie=f"{name}={int(expires) + 1}.{signature}").status == 401


@pytest.mark.attack("guessing the token")
def test_guessing_is_slowed_down_for_each_address(guarded: WebClient, daemon: Daemon) -> None:
    for _ in range(TRIES):
        assert log_in(guarded, "guess").status == 401
    answer = log_in(guarded, "guess")
    assert (answer.status, answer.error["code"]) == (429, "too_many_tries")
    assert int(answer.headers["Retry-After"]) <= 61
    assert guarded.get("/api/v1/status", Authorization="Bearer guess").status == 429
    assert log_in(guarded, "guess", Remote_Addr="192.168.1.9").status == 401
    daemon.clock_ns -= 365 * 86_400 * 10**9
    daemon.elapsed_ns += TRIES_WINDOW_NS
    assert log_in(guarded, "guess").status == 401


@pytest.mark.attack("guesses that lock out the holder of the token, behind a proxy too")
def test_the_right_token_is_let_in_while_others_guess(guarded: WebClient) -> None:
    """All from one address, as behind a proxy: the door is closed to wrong tokens only."""
    value = log_in(guarded, TOKEN).headers["Set-Cookie"].split(";")[0]
    for _ in range(3 * TRIES):
        log_in(guarded, "guess")
        guarded.get("/api/v1/status", Authorization="Bearer guess")
        assert guarded.get("/api/v1/status", Authorization=f"Bearer {TOKEN}").status == 200
        assert log_in(guarded, TOKEN).status == 204
        assert guarded.get("/api/v1/status", Cookie=value).status == 200
    assert log_in(guarded, "guess").status == 429
    assert guarded.get("/api/v1/status").status == 401, "who gives no token has guessed none"
    assert guarded.get("/", **PAGE).headers["Location"] == "/login"
    assert guarded.get("/login", **PAGE).status == 200


@pytest.mark.attack("guesses that go on forever")
def test_a_client_that_goes_on_guessing_is_refused_no_longer_than_one_that_stops(
    guarded: WebClient, daemon: Daemon
) -> None:
    for second in range(TRIES_WINDOW_NS // 10**9):
        assert log_in(guarded, "guess").status == (401 if second < TRIES else 429)
        daemon.elapsed_ns += 10**9
    assert log_in(guarded, "guess").status == 401


@pytest.mark.attack("guesses from more addresses than there is memory for")
def test_wrong_tokens_of_many_addresses_take_little_memory(access: WebAccess) -> None:
    gate = AccessPolicy(access, lambda: 0, lambda: 0)
    for number in range(ADDRESSES_KEPT + 100):
        with pytest.raises(HttpError, match="Wrong token"):
            gate.log_in("guess", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(gate._wrong) == ADDRESSES_KEPT
    for _ in range(100):
        with pytest.raises(HttpError):
            gate.log_in("guess", "10.0.0.1")
    assert max(map(len, gate._wrong.values())) == TRIES
    assert gate.log_in(TOKEN, "10.0.0.1")


@pytest.mark.parametrize("given", ["", "\ud800", "é" * 100_000, TOKEN + "\n", TOKEN + "\0", TOKEN.upper()])
def test_what_is_no_token_is_a_wrong_one(access: WebAccess, given: str) -> None:
    with pytest.raises(HttpError) as raised:
        AccessPolicy(access, lambda: 0, lambda: 0).log_in(given, "10.0.0.1")
    assert raised.value.code == "wrong_token"


@pytest.mark.attack("login and logout by another site")
def test_another_site_cannot_log_in_or_out(guarded: WebClient) -> None:
    assert log_in(guarded, TOKEN, Origin="https://evil.example").status == 403
    assert guarded.send("POST", "/logout", Origin="https://evil.example").status == 403


def test_a_log_out_drops_the_cookie(guarded: WebClient) -> None:
    value = log_in(guarded, TOKEN).headers["Set-Cookie"].split(";")[0]
    assert "Max-Age=0" in guarded.send("POST", "/logout", Cookie=value).headers["Set-Cookie"]


@pytest.mark.attack("tokens in the log")
def test_no_token_is_ever_logged(guarded: WebClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log_in(guarded, TOKEN)
    log_in(guarded, "almost-" + TOKEN)
    guarded.get("/api/v1/status", Authorization=f"Bearer {TOKEN}")
    assert TOKEN not in caplog.text


def test_without_a_token_configured_there_is_no_login(client: WebClient, library: Library) -> None:
    assert client.get("/login", **PAGE).headers["Location"] == "/"
    assert log_in(client, "").status == 401
