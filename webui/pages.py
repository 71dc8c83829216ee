"""The HTML of the page: one shell for every address, rendered in the user's language; its files; and the login.

The shell contains no data; its JavaScript modules fetch it over REST. Every file that it loads is read once at start
and served from memory, so no request can reach another file. The address of these files changes with their bytes, so
browsers may cache them forever.
"""

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bottle

from index.messages import LANGUAGES, render
from webui import schemas
from webui.http_errors import HttpError
from webui.icons import icon
from webui.routes import Call, Headers, Reply, Route
from webui.security import COOKIE, AccessPolicy, Environ, is_navigation
from webui.services import Services

HERE = Path(__file__).parent
LANGUAGE_COOKIE = "language"
THEME_COOKIE = "theme"
THEMES = ("light", "dark")

# A page that stays open during an upgrade requests modules by their old address. It must get the new ones.
KEEP_FOREVER = "private, max-age=31536000, immutable"
REVALIDATE = "no-cache"

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}

# Every address of the shell, with the view that its modules show there.
VIEWS = {
    "/": "groups",
    "/groups/{id}": "group",
    "/end": "end",
    "/rules": "rules",
    "/plan": "plan",
    "/history": "history",
    "/history/{id}": "batch",
    "/trash": "trash",
    "/verdicts": "verdicts",
    "/library": "library",
    "/folders": "folders",
    "/compress": "compress",
    "/activity": "activity",
    "/problems": "problems",
    "/settings": "settings",
    "/api": "api",
}


class Login(schemas.Body, frozen=True, kw_only=True):
    token: str


class Pages:
    """The rendered shell and the files behind it, for one app."""

    def __init__(self, services: Services, policy: AccessPolicy) -> None:
        self._services = services
        self._policy = policy
        self._files = _read_files()
        joined = b"".join(name.encode() + data for name, data in sorted(self._files.items()))
        self.version = hashlib.sha256(joined).hexdigest()[:12]
        self._texts = {language: json.loads(self._files[f"locale/{language}.json"]) for language in LANGUAGES}
        self._templates = {
            name: bottle.SimpleTemplate((HERE / "templates" / f"{name}.html").read_text("utf-8"))
            for name in ("shell", "login", "refusal", "offline")
        }
        worker = bottle.SimpleTemplate((HERE / "templates" / "service-worker.js").read_text("utf-8"), noescape=True)
        self._worker = worker.render(base=f"/static/{self.version}", version=self.version).encode()

    def shell(self, call: Call, view: str) -> Reply:
        return self._page(call.headers, "shell", view=view)

    def error_page(self, http_error: HttpError, environ: Environ) -> Reply:
        """The response to an error: a page with a link back for a browser that navigates, otherwise JSON."""
        headers = {"Cache-Control": "no-store", **http_error.headers}
        if not is_navigation(environ):
            language = preferred_language(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
            return Reply(http_error.body(language), "application/json", http_error.status, headers)
        asked = Headers(environ)
        message = render(http_error.advice, self._language(asked))
        page = self._page(asked, "refusal", view="refusal", status=http_error.status, message=message)
        return Reply(page.body, page.media_type, http_error.status, {**page.headers, **headers})

    def login_page(self, call: Call) -> Reply:
        if not self._policy.asks_for_token:
            return Reply(b"", "", 303, {"Location": "/"})
        return self._page(call.headers, "login", view="login")

    def log_in(self, call: Call) -> Reply:
        body: Login = call.body
        # Behind a proxy that terminates TLS, only the browser's Origin header shows it.
        cookie = self._policy.log_in(body.token, call.address, call.headers.get("Origin", "").startswith("https://"))
        return Reply(b"", "", 204, {"Set-Cookie": cookie})

    def log_out(self, _: Call) -> Reply:
        return Reply(b"", "", 204, {"Set-Cookie": f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"})

    def file(self, call: Call) -> Reply:
        version, _, name = call.key.partition("/")
        data = self._files.get(name)
        if data is None:
            raise HttpError(404, "not_found", "rest.no_file")
        cache = KEEP_FOREVER if version == self.version else REVALIDATE
        return Reply(data, MEDIA_TYPES[Path(name).suffix], headers={"Cache-Control": cache})

    def offline(self, call: Call) -> Reply:
        """What a service worker caches for times when the service cannot be reached."""
        return self._page(call.headers, "offline")

    def service_worker(self, _: Call) -> Reply:
        """Served at the top level, since a service worker controls only addresses below its own."""
        return Reply(self._worker, MEDIA_TYPES[".js"], headers={"Cache-Control": REVALIDATE})

    def favicon(self, _: Call) -> Reply:
        return Reply(self._files["icon.svg"], MEDIA_TYPES[".svg"], headers={"Cache-Control": "max-age=86400"})

    def _page(self, request_headers: Mapping[str, str], template: str, **values: Any) -> Reply:
        language = self._language(request_headers)
        texts: dict[str, str] = self._texts[language]
        html: str = self._templates[template].render(
            **values,
            language=language,
            languages=LANGUAGES,
            theme=_theme(request_headers),
            version=self._services.version,
            base=f"/static/{self.version}",
            modules=sorted(name for name in self._files if name.endswith(".js")),
            can_log_out=self._policy.can_log_out(request_headers),
            icon=icon,
            t=texts.__getitem__,
            has=texts.__contains__,
        )
        headers = {"Cache-Control": REVALIDATE, "Content-Language": language, "Vary": "Accept-Language, Cookie"}
        return Reply(html.encode(), "text/html; charset=utf-8", headers=headers)

    def _language(self, headers: Mapping[str, str]) -> str:
        """The language chosen on the page, or else the configured one, or else the browser's."""
        chosen = re.search(rf"(?:^|;\s*){LANGUAGE_COOKIE}=(\w+)", headers.get("Cookie", ""))
        for language in (chosen[1] if chosen else "", self._policy.access.language):
            if language in LANGUAGES:
                return language
        return preferred_language(headers.get("Accept-Language", ""))


def _theme(headers: Mapping[str, str]) -> str:
    """The theme chosen on the page; "" means that of the system."""
    chosen = re.search(rf"(?:^|;\s*){THEME_COOKIE}=(\w+)", headers.get("Cookie", ""))
    return chosen[1] if chosen and chosen[1] in THEMES else ""


def preferred_language(header: str) -> str:
    """The best of our languages for an Accept-Language header (RFC 9110, 12.5.4); English if none matches."""
    best, best_weight = LANGUAGES[0], 0.0
    for part in header.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        language = name.split("-")[0]
        match = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", parameters)
        weight = float(match[1]) if match else 1.0
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def page_routes(pages: Pages) -> tuple[Route, ...]:
    """The routes of the page, which are not in the OpenAPI document."""

    def showing(view: str) -> Any:
        return lambda call: pages.shell(call, view)

    shells = (
        Route("GET", path, showing(view), f"The page: {view}", "page", key_type=str if "{" in path else None,
              query=None, any_query=True)
        for path, view in VIEWS.items()
    )  # fmt: skip
    return (
        *shells,
        Route("GET", "/login", pages.login_page, "The login page", "page", any_query=True),
        Route("POST", "/login", pages.log_in, "Exchange the token for a cookie", "page", status=204, body=Login),
        Route("POST", "/logout", pages.log_out, "Delete the cookie", "page", status=204),
        Route("GET", "/static/{file}", pages.file, "A file of the page", "page", key_type=str),
        Route("GET", "/offline", pages.offline, "The page that is shown while the service cannot be reached", "page"),
        Route("GET", "/service-worker.js", pages.service_worker, "The service worker", "page"),
        Route("GET", "/favicon.ico", pages.favicon, "The icon", "page"),
    )


@functools.cache
def _read_files() -> Mapping[str, bytes]:
    """Every file of the page, by its name below /static/VERSION/. Those of the languages are below locale/."""
    files = {}
    for folder, prefix in (("static", ""), ("locale", "locale/")):
        root = HERE / folder
        for path in sorted(root.rglob("*")):
            if path.suffix in MEDIA_TYPES:
                files[prefix + path.relative_to(root).as_posix()] = path.read_bytes()
    return files
