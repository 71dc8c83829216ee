"""The pages: one shell for every address, rendered in the reader's language, the files it is made of, and the login.

The shell holds no data; its modules fetch that over REST. Every file it loads is read once at start and served from
memory under an address that changes with its bytes, so that browsers keep it for ever and no path leads elsewhere.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bottle

from webui import shapes
from webui.icons import icon
from webui.refusals import Refusal
from webui.routes import Call, Headers, Reply, Route
from webui.security import COOKIE, Environ, Gate, is_navigation
from webui.services import Services

HERE = Path(__file__).parent
LANGUAGES = ("en", "fr")
LANGUAGE_COOKIE = "language"

# A page that is already open when the service is upgraded asks for modules by their old address.
KEEP_FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}

# Every address of the one shell, with the view that its modules show there.
VIEWS = {
    "/": "groups",
    "/groups/{id}": "group",
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


class Login(shapes.Body, frozen=True, kw_only=True):
    token: str


class Pages:
    """The rendered shell and the files behind it, for one app."""

    def __init__(self, services: Services, gate: Gate) -> None:
        self._services = services
        self._gate = gate
        self._files = _read_files()
        joined = b"".join(name.encode() + data for name, data in sorted(self._files.items()))
        self.version = hashlib.sha256(joined).hexdigest()[:12]
        self._texts = {language: json.loads(self._files[f"locale/{language}.json"]) for language in LANGUAGES}
        self._templates = {
            name: bottle.SimpleTemplate((HERE / "views" / f"{name}.html").read_text("utf-8"))
            for name in ("shell", "login", "refusal")
        }

    def shell(self, call: Call, view: str) -> Reply:
        return self._page(call.headers, "shell", view=view)

    def told(self, refusal: Refusal, environ: Environ) -> Reply:
        """A refusal as whoever asked can read it: a page with the way back for a person at an address, else JSON."""
        headers = {"Cache-Control": "no-store", **refusal.headers}
        if not is_navigation(environ):
            return Reply(refusal.body(), "application/json", refusal.status, headers)
        page = self._page(Headers(environ), "refusal", view="refusal", status=refusal.status, told=refusal)
        return Reply(page.body, page.media_type, refusal.status, {**page.headers, **headers})

    def login_page(self, call: Call) -> Reply:
        if not self._gate.asks_for_token:
            return Reply(b"", "", 303, {"Location": "/"})
        return self._page(call.headers, "login", view="login")

    def log_in(self, call: Call) -> Reply:
        body: Login = call.body
        # Behind a proxy that speaks TLS the browser tells so by its origin.
        cookie = self._gate.log_in(body.token, call.address, call.headers.get("Origin", "").startswith("https://"))
        return Reply(b"", "", 204, {"Set-Cookie": cookie})

    def log_out(self, _: Call) -> Reply:
        return Reply(b"", "", 204, {"Set-Cookie": f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"})

    def file(self, call: Call) -> Reply:
        version, _, name = call.key.partition("/")
        data = self._files.get(name)
        if data is None:
            raise Refusal(404, "not_found", "There is no such file.")
        cache = KEEP_FOREVER if version == self.version else ASK_AGAIN
        return Reply(data, MEDIA_TYPES[Path(name).suffix], headers={"Cache-Control": cache})

    def favicon(self, _: Call) -> Reply:
        return Reply(self._files["icon.svg"], MEDIA_TYPES[".svg"], headers={"Cache-Control": "max-age=86400"})

    def _page(self, asked: Mapping[str, str], template: str, **values: Any) -> Reply:
        language = self._language(asked)
        texts: dict[str, str] = self._texts[language]
        html: str = self._templates[template].render(
            **values,
            language=language,
            languages=LANGUAGES,
            version=self._services.version,
            base=f"/static/{self.version}",
            modules=sorted(name for name in self._files if name.endswith(".js")),
            asks_for_token=self._gate.asks_for_token,
            icon=icon,
            t=texts.__getitem__,
            has=texts.__contains__,
        )
        headers = {"Cache-Control": ASK_AGAIN, "Content-Language": language, "Vary": "Accept-Language, Cookie"}
        return Reply(html.encode(), "text/html; charset=utf-8", headers=headers)

    def _language(self, asked: Mapping[str, str]) -> str:
        """What the reader chose on the page, else what the service is set to, else what the browser asks for."""
        chosen = re.search(rf"(?:^|;\s*){LANGUAGE_COOKIE}=(\w+)", asked.get("Cookie", ""))
        for language in (chosen[1] if chosen else "", self._gate.access.language):
            if language in LANGUAGES:
                return language
        return preferred_language(asked.get("Accept-Language", ""))


def preferred_language(header: str) -> str:
    """The best of our languages for an Accept-Language header (RFC 9110, 12.5.4), English when none is wanted."""
    best, best_weight = LANGUAGES[0], 0.0
    for part in header.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        language = name.split("-")[0]
        found = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", parameters)
        weight = float(found[1]) if found else 1.0
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def page_routes(pages: Pages) -> tuple[Route, ...]:
    """The routes beside the API; they are no part of the OpenAPI document."""

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
        Route("POST", "/logout", pages.log_out, "Drop the cookie", "page", status=204),
        Route("GET", "/static/{file}", pages.file, "A file of the page", "page", key_type=str),
        Route("GET", "/favicon.ico", pages.favicon, "The icon", "page"),
    )


def _read_files() -> dict[str, bytes]:
    """Every file of the page by its name below /static/VERSION/, those of the languages below locale/."""
    found = {}
    for folder, prefix in (("static", ""), ("locale", "locale/")):
        root = HERE / folder
        for path in sorted(root.rglob("*")):
            if path.suffix in MEDIA_TYPES:
                found[prefix + path.relative_to(root).as_posix()] = path.read_bytes()
    return found
