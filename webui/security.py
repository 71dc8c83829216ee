"""Who is let in, and what a browser may do with the answers: a WSGI layer around the whole app.

Refuses names it is not called by (DNS rebinding), requests from other sites, bodies that are too large, and, where a
token is configured, whoever does not have it. Nothing here ever logs a token.
"""

import hashlib
import hmac
import ipaddress
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from webui.refusals import Refusal
from webui.routes import API, BODY_LIMIT_BYTES, Reply
from webui.services import WebAccess

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
HEADERS = (
    ("Content-Security-Policy", CONTENT_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)

SAFE_METHODS = ("GET", "HEAD")
LOOPBACK = ("localhost", "127.0.0.1", "::1")

COOKIE = "comparimg"
SESSION_NS = 30 * 86_400 * 10**9
# What a page that asks for the token is made of, and what a container asks whether it lives: no secret is in them.
OPEN_PATHS = ("/healthz", "/login", "/favicon.ico")
OPEN_FOLDERS = ("/static/",)

TRIES = 5
TRIES_WINDOW_NS = 60 * 10**9
ADDRESSES_KEPT = 10_000


class Gate:
    """The rules of one app, and the memory of wrong tokens. Any web thread asks it."""

    def __init__(self, access: WebAccess, now_ns: Callable[[], int], elapsed_ns: Callable[[], int]) -> None:
        """Sessions end by the time of day, `now_ns`; wrong tokens are forgotten by a clock that nobody sets."""
        self._now_ns = now_ns
        self._elapsed_ns = elapsed_ns
        self.access = access
        self._guard = threading.Lock()
        self._wrong: OrderedDict[str, list[int]] = OrderedDict()

    @property
    def access(self) -> WebAccess:
        """Where the page listens and whom it lets in; may be exchanged while requests are served."""
        return self._access

    @access.setter
    def access(self, access: WebAccess) -> None:
        self._names = _own_names(access)
        self._any_address = _is_wildcard(access.host) or not _is_loopback(access.host)
        self._access = access

    @property
    def _token(self) -> str:
        return self._access.token

    @property
    def asks_for_token(self) -> bool:
        return bool(self._token)

    def check(self, environ: Environ) -> None:
        """Raises Refusal where the request may not pass."""
        self._check_host(environ)
        _check_origin(environ)
        _check_body(environ)
        path = environ.get("PATH_INFO", "")
        if self._token and path not in OPEN_PATHS and not path.startswith(OPEN_FOLDERS):
            self._check_token(environ)

    def log_in(self, given: str, address: str, over_tls: bool = False) -> str:
        """The Set-Cookie header for whoever gives the right token. Raises Refusal."""
        if not self._token or not _same(given, self._token):
            self._count_wrong(address)
            raise Refusal(401, "wrong_token", "This is not the token.", "comparimg-ctl token shows it.", "token")
        expires_ns = self._now_ns() + SESSION_NS
        value = f"{expires_ns}.{self._signature(expires_ns)}"
        secure = "; Secure" if over_tls else ""
        return f"{COOKIE}={value}; Path=/; Max-Age={SESSION_NS // 10**9}; HttpOnly; SameSite=Strict{secure}"

    def _check_host(self, environ: Environ) -> None:
        name = _host_name(environ.get("HTTP_HOST", ""))
        # A page of another site can reach us under its own name only, never under an address.
        if name in self._names or (self._any_address and _is_address(name)):
            return
        raise Refusal(
            421, "wrong_host", "ComparImg is not called by this name.", "Add it to names under [web] in comparimg.toml."
        )

    def _check_token(self, environ: Environ) -> None:
        if self._has_session(environ):
            return
        # The right token first: behind a proxy all requests come from one address, and guesses must lock nobody out.
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip(), self._token):
            return
        if given:
            self._count_wrong(environ.get("REMOTE_ADDR", ""))
        raise Refusal(
            401,
            "token_needed",
            "A token is needed.",
            "Log in on the page, or send Authorization: Bearer.",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _has_session(self, environ: Environ) -> bool:
        try:
            cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
        except CookieError:
            return False
        if cookie is None:
            return False
        expires, _, signature = cookie.value.partition(".")
        if not (expires.isascii() and expires.isdecimal() and len(expires) < 20):
            return False
        return _same(signature, self._signature(int(expires))) and self._now_ns() < int(expires)

    def _signature(self, expires_ns: int) -> str:
        return hmac.new(self._token.encode(), f"session {expires_ns}".encode(), hashlib.sha256).hexdigest()

    def _count_wrong(self, address: str) -> None:
        """Remember a wrong token. Raises Refusal where there were too many of them lately, which this one joins not."""
        address = _whose(address)
        now_ns = self._elapsed_ns()
        with self._guard:
            recent = [at_ns for at_ns in self._wrong.pop(address, []) if now_ns - at_ns < TRIES_WINDOW_NS]
            is_closed = len(recent) >= TRIES
            self._wrong[address] = recent if is_closed else [*recent, now_ns]
            while len(self._wrong) > ADDRESSES_KEPT:
                self._wrong.popitem(last=False)
        if is_closed:
            left_s = (TRIES_WINDOW_NS - (now_ns - recent[0])) // 10**9 + 1
            raise Refusal(
                429, "too_many_tries", "Too many wrong tokens.", "Wait a minute.", headers={"Retry-After": str(left_s)}
            )


class Guard:
    """The WSGI layer: asks the gate, and puts the security headers on every answer."""

    def __init__(self, app: WsgiApp, gate: Gate, tell: Callable[[Refusal, Environ], Reply]) -> None:
        """`tell` puts a refusal in the form that whoever asked can read."""
        self._app = app
        self._gate = gate
        self._tell = tell

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            given = {name.lower() for name, _ in headers}
            headers = [*headers, *(header for header in HEADERS if header[0].lower() not in given)]
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        try:
            self._gate.check(environ)
        except Refusal as refusal:
            if refusal.status == 401 and is_navigation(environ):
                start("303 See Other", [("Location", "/login"), ("Content-Length", "0"), ("Cache-Control", "no-store")])
                return []
            told = self._tell(refusal, environ)
            assert isinstance(told.body, bytes)
            headers = {"Content-Type": told.media_type, "Content-Length": str(len(told.body)), **told.headers}
            start(f"{refusal.status} {refusal.code}", list(headers.items()))
            return [told.body]
        return self._app(environ, start)


def _check_origin(environ: Environ) -> None:
    """Only our own page's requests, or those of programs, which send neither header."""
    site = environ.get("HTTP_SEC_FETCH_SITE", "")
    origin = environ.get("HTTP_ORIGIN", "")
    unsafe = environ["REQUEST_METHOD"] not in SAFE_METHODS
    if origin and _host_of_origin(origin) != environ.get("HTTP_HOST", "").lower():
        raise _other_site()
    if site in ("", "same-origin", "none"):
        return
    # A link on another page may lead to our pages, but nothing there may embed or call us.
    if unsafe or not is_navigation(environ) or environ.get("PATH_INFO", "").startswith(API):
        raise _other_site()


def _other_site() -> Refusal:
    return Refusal(403, "other_site", "Requests from other sites are refused.")


def _check_body(environ: Environ) -> None:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise Refusal(400, "bad_request", "The length of the body is no number.")
    if int(length) > BODY_LIMIT_BYTES:
        raise Refusal(413, "too_large", f"The body is larger than {BODY_LIMIT_BYTES} bytes.")


def is_navigation(environ: Environ) -> bool:
    """Whether a person follows a link or types the address, rather than a script or a tag asking."""
    if environ["REQUEST_METHOD"] not in SAFE_METHODS or environ.get("PATH_INFO", "").startswith(API):
        return False
    mode = environ.get("HTTP_SEC_FETCH_MODE")
    if mode is not None:
        return bool(mode == "navigate" and environ.get("HTTP_SEC_FETCH_DEST") == "document")
    return "text/html" in environ.get("HTTP_ACCEPT", "")


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())


def _own_names(access: WebAccess) -> frozenset[str]:
    names = {*LOOPBACK, access.host.strip("[]").lower(), *(name.lower() for name in access.names)}
    if not _is_loopback(access.host):
        own = socket.gethostname().lower()
        names |= {own, own.partition(".")[0], own.partition(".")[0] + ".local"}
    return frozenset(names - {""})


def _host_name(header: str) -> str:
    """The name in a Host header, without port and brackets; "" where there is none to be found."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _host_of_origin(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _whose(address: str) -> str:
    """Who tries: of IPv6 the network, as one machine has as many addresses in it as it likes."""
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(number, ipaddress.IPv4Address):
        return str(number)
    if number.ipv4_mapped is not None:
        return str(number.ipv4_mapped)
    return str(ipaddress.ip_network((number, 64), strict=False))


def _is_wildcard(host: str) -> bool:
    return host.strip("[]") in ("", "0.0.0.0", "::")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
