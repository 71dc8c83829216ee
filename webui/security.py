"""Access control, and the security headers of every answer: a WSGI middleware around the whole app.

Refuses requests to other host names (DNS rebinding), from other sites, with bodies that are too large, and, if a token
is configured, without the token, unless a trusted proxy names the user (webui.forward_auth). Nothing here ever logs a
token.
"""

import hashlib
import hmac
import ipaddress
import logging
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

from index.settings import is_loopback
from webui.forward_auth import ForwardAuth
from webui.http_errors import HttpError
from webui.routes import API, BODY_LIMIT_BYTES, Reply
from webui.services import WebAccess

log = logging.getLogger(__name__)

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
# Served without a token: the login page and its files, and the health check of a container. They contain no secret.
OPEN_PATHS = ("/healthz", "/login", "/favicon.ico", "/offline", "/service-worker.js")
OPEN_FOLDERS = ("/static/",)

# Headers of proxies. With one of them, a request may come from anywhere, even over a local connection.
FORWARDING = (
    "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_SERVER", "HTTP_X_REAL_IP", "HTTP_CF_CONNECTING_IP", "HTTP_TRUE_CLIENT_IP",
)  # fmt: skip

TRIES = 5
TRIES_WINDOW_NS = 60 * 10**9
ADDRESSES_KEPT = 10_000


class AccessPolicy:
    """The access rules of one app, and the recent wrong tokens. Thread-safe."""

    def __init__(self, access: WebAccess, now_ns: Callable[[], int], elapsed_ns: Callable[[], int]) -> None:
        """Sessions expire by the wall clock, `now_ns`. Wrong tokens expire by a monotonic clock, `elapsed_ns`."""
        self._now_ns = now_ns
        self._elapsed_ns = elapsed_ns
        self.access = access
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, list[int]] = OrderedDict()

    @property
    def access(self) -> WebAccess:
        """Where the page listens, and who has access. It may be replaced while requests are served."""
        return self._access

    @access.setter
    def access(self, access: WebAccess) -> None:
        self._names = _own_names(access)
        self._any_address = _is_wildcard(access.host) or not is_loopback(access.host)
        self._forward_auth = ForwardAuth(access.auth_header, access.auth_proxies)
        if self._forward_auth.believes_everyone:
            log.warning("%s is believed from every address: see comparimg-ctl doctor", access.auth_header)
        self._access = access

    @property
    def _token(self) -> str:
        return self._access.token

    @property
    def asks_for_token(self) -> bool:
        return bool(self._token)

    def can_log_out(self, headers: Mapping[str, str]) -> bool:
        """Whether there is a session to end. A user named by a trusted proxy signs out there instead. `headers` are
        those of a request that `check` has seen."""
        header = self._access.auth_header
        return self.asks_for_token and not (header and headers.get(header))

    def check(self, environ: Environ) -> None:
        """Raises HttpError for a request that is refused. Removes an untrusted header of forward authentication from
        `environ`."""
        self._forward_auth.remove_untrusted(environ)
        self._check_host(environ)
        _check_origin(environ)
        _check_body(environ)
        path = environ.get("PATH_INFO", "")
        if self._token and path not in OPEN_PATHS and not path.startswith(OPEN_FOLDERS):
            self._check_token(environ)

    def check_setup(self, environ: Environ) -> None:
        """Raises HttpError for a request that may not see folders of this machine or change the setup of the service.
        Without a token, only users of this machine may: over the loopback, by no additional host name, and through no
        proxy."""
        if self._token:
            # `check` has verified the token or the user.
            return
        if self._access.names or not is_loopback(self._access.host) or any(name in environ for name in FORWARDING):
            raise HttpError(403, "setup_needs_token", "rest.setup_needs_token")

    def log_in(self, given: str, address: str, over_tls: bool = False) -> str:
        """The Set-Cookie header for a correct token. Raises HttpError for a wrong one."""
        if not self._token or not _is_equal(given, self._token):
            self._record_wrong(address)
            raise HttpError(401, "wrong_token", "rest.wrong_token", field="token")
        expires_ns = self._now_ns() + SESSION_NS
        value = f"{expires_ns}.{self._signature(expires_ns)}"
        secure = "; Secure" if over_tls else ""
        return f"{COOKIE}={value}; Path=/; Max-Age={SESSION_NS // 10**9}; HttpOnly; SameSite=Strict{secure}"

    def _check_host(self, environ: Environ) -> None:
        name = _host_name(environ.get("HTTP_HOST", ""))
        # DNS rebinding sends the attacker's host name, never an address.
        if name in self._names or (self._any_address and _is_address(name)):
            return
        raise HttpError(421, "wrong_host", "rest.wrong_host")

    def _check_token(self, environ: Environ) -> None:
        if user := self._forward_auth.user(environ):
            if environ["REQUEST_METHOD"] not in SAFE_METHODS:
                path = quote(environ.get("PATH_INFO", "").encode("latin-1"))
                log.info("%s %s by %s", environ["REQUEST_METHOD"], path, user)
            return
        if self._has_session(environ):
            return
        # A correct token is accepted regardless of the limit on wrong ones. Behind a proxy, all requests come from one
        # address, and the guesses of one client must not lock out the others.
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "bearer" and _is_equal(given.strip(), self._token):
            return
        if given:
            self._record_wrong(environ.get("REMOTE_ADDR", ""))
        raise HttpError(401, "token_needed", "rest.token_needed", headers={"WWW-Authenticate": "Bearer"})

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
        return _is_equal(signature, self._signature(int(expires))) and self._now_ns() < int(expires)

    def _signature(self, expires_ns: int) -> str:
        return hmac.new(self._token.encode(), f"session {expires_ns}".encode(), hashlib.sha256).hexdigest()

    def _record_wrong(self, address: str) -> None:
        """Record a wrong token. Raises HttpError if there were too many recently; this one is then not recorded."""
        address = _client_of(address)
        now_ns = self._elapsed_ns()
        with self._lock:
            recent = [at_ns for at_ns in self._wrong.pop(address, []) if now_ns - at_ns < TRIES_WINDOW_NS]
            is_closed = len(recent) >= TRIES
            self._wrong[address] = recent if is_closed else [*recent, now_ns]
            while len(self._wrong) > ADDRESSES_KEPT:
                self._wrong.popitem(last=False)
        if is_closed:
            left_s = (TRIES_WINDOW_NS - (now_ns - recent[0])) // 10**9 + 1
            raise HttpError(429, "too_many_tries", "rest.too_many_tries", headers={"Retry-After": str(left_s)})


class SecurityMiddleware:
    """The WSGI middleware: checks requests by the policy, and adds the security headers to every answer."""

    def __init__(self, app: WsgiApp, policy: AccessPolicy, error_page: Callable[[HttpError, Environ], Reply]) -> None:
        """`error_page` renders an error in a form that the client can read."""
        self._app = app
        self._policy = policy
        self._error_page = error_page

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            given = {name.lower() for name, _ in headers}
            headers = [*headers, *(header for header in HEADERS if header[0].lower() not in given)]
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        try:
            self._policy.check(environ)
        except HttpError as http_error:
            if http_error.status == 401 and is_navigation(environ):
                start("303 See Other", [("Location", "/login"), ("Content-Length", "0"), ("Cache-Control", "no-store")])
                return []
            reply = self._error_page(http_error, environ)
            assert isinstance(reply.body, bytes)
            headers = {"Content-Type": reply.media_type, "Content-Length": str(len(reply.body)), **reply.headers}
            start(f"{http_error.status} {http_error.code}", list(headers.items()))
            return [reply.body]
        return self._app(environ, start)


def _check_origin(environ: Environ) -> None:
    """Raises HttpError unless the request comes from our own page, or from a program (which sends neither header)."""
    site = environ.get("HTTP_SEC_FETCH_SITE", "")
    origin = environ.get("HTTP_ORIGIN", "")
    unsafe = environ["REQUEST_METHOD"] not in SAFE_METHODS
    if origin and _host_of_origin(origin) != environ.get("HTTP_HOST", "").lower():
        raise _other_site()
    if site in ("", "same-origin", "none"):
        return
    # Another site may link to our pages, but must not embed or call them.
    if unsafe or not is_navigation(environ) or environ.get("PATH_INFO", "").startswith(API):
        raise _other_site()


def _other_site() -> HttpError:
    return HttpError(403, "other_site", "rest.other_site")


def _check_body(environ: Environ) -> None:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise HttpError(400, "bad_request", "rest.body_length")
    if int(length) > BODY_LIMIT_BYTES:
        raise HttpError(413, "too_large", "rest.body_too_large", limit=BODY_LIMIT_BYTES)


def is_navigation(environ: Environ) -> bool:
    """Whether a browser navigates to a page, as opposed to a script or an embedding tag."""
    if environ["REQUEST_METHOD"] not in SAFE_METHODS or environ.get("PATH_INFO", "").startswith(API):
        return False
    mode = environ.get("HTTP_SEC_FETCH_MODE")
    if mode is not None:
        return bool(mode == "navigate" and environ.get("HTTP_SEC_FETCH_DEST") == "document")
    return "text/html" in environ.get("HTTP_ACCEPT", "")


def _is_equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())


def _own_names(access: WebAccess) -> frozenset[str]:
    names = {*LOOPBACK, access.host.strip("[]").lower(), *(name.lower() for name in access.names)}
    if not is_loopback(access.host):
        own = socket.gethostname().lower()
        names |= {own, own.partition(".")[0], own.partition(".")[0] + ".local"}
    return frozenset(names - {""})


def _host_name(header: str) -> str:
    """The name in a Host header, without port and brackets; "" if it is invalid."""
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


def _client_of(address: str) -> str:
    """The address by which attempts are counted. For IPv6 this is the /64 network, since one machine can use every
    address in it."""
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
