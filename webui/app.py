"""The WSGI app: the table of routes in a Bottle app, behind the security middleware. Called by any web thread."""

import functools
import io
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import bottle
import msgspec
import peewee

from index.database.store import Store
from index.errors import ComparImgError
from webui.api import status
from webui.api.table import ROUTES
from webui.crops import Crops
from webui.downloads import Downloads
from webui.events import LIFETIME_S, EventStreams
from webui.http_errors import HttpError, http_error_for, http_error_of_status
from webui.openapi import make_document
from webui.pages import Pages, page_routes, preferred_language
from webui.routes import API, Call, Headers, Reply, Route, read_body, read_key, read_query
from webui.schemas import json_bytes
from webui.security import AccessPolicy, Environ, SecurityMiddleware, StartResponse
from webui.services import Services, WebAccess
from webui.statistics_cache import StatisticsCache
from webui.thumbnails import Thumbnails

log = logging.getLogger(__name__)


class WebApp:
    """The WSGI app of one index; `close` ends its event streams."""

    def __init__(self, store: Store, services: Services, stream_lifetime_s: float) -> None:
        self._store = store
        self._services = services
        self._thumbnails = Thumbnails(store.data_dir / "views", services.make_preview, services.elapsed_ns)
        self._crops = Crops(services.make_crop)
        self._statistics = StatisticsCache(store, services.elapsed_ns)
        self._downloads = Downloads()
        self._streams = EventStreams(store, lambda: status.topics(store, services), stream_lifetime_s)
        self._policy = policy = AccessPolicy(services.web, services.now_ns, services.elapsed_ns)
        self._pages = Pages(services, policy)
        self._bottle = _Bottle(self._pages.error_page)
        self._bottle.config["json.enable"] = False
        self.routes: tuple[Route, ...] = (*ROUTES, _document_route(services.version), *page_routes(self._pages))
        for route in self.routes:
            address = route.path.replace("{file}", "<file:path>").replace("{id}", "<id>")
            self._bottle.route(address, route.method, self._responder(route))
        self._secured = SecurityMiddleware(self._bottle, policy, self._pages.error_page)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self._secured(environ, start_response)

    def set_access(self, access: WebAccess) -> None:
        """Change the access rules while requests are served. Sessions end if their token is replaced."""
        self._policy.access = access

    def close(self) -> None:
        self._streams.close()

    def _responder(self, route: Route) -> Any:
        def respond(**keys: str) -> bottle.HTTPResponse:
            try:
                return _response(route, self._answer(route, next(iter(keys.values()), None)))
            except (ComparImgError, peewee.PeeweeException) as error:
                http_error = http_error_for(error)
                # An HttpError with 503 means too many requests at present. It is no fault, and is not logged.
                if http_error.status >= 500 and not isinstance(error, HttpError):
                    log.warning("%s %s: %s", route.method, route.path, http_error.message)
            except Exception:
                log.exception("%s %s failed", route.method, route.path)
                http_error = http_error_of_status(500)
            return _http_response(self._pages.error_page(http_error, bottle.request.environ))

        return respond

    def _answer(self, route: Route, key: str | None) -> Any:
        request = bottle.request
        if route.is_setup:
            self._policy.check_setup(request.environ)
        call = Call(
            store=self._store,
            services=self._services,
            thumbnails=self._thumbnails,
            crops=self._crops,
            statistics=self._statistics,
            downloads=self._downloads,
            streams=self._streams,
            key=read_key(route, key),
            query=read_query(route, request.environ.get("QUERY_STRING", "")),
            body=read_body(route, request.environ.get("CONTENT_TYPE", ""), _raw_body(request.environ)),
            headers=Headers(request.environ),
            address=request.environ.get("REMOTE_ADDR", ""),
            gone=request.environ.get("waitress.client_disconnected", lambda: False),
            language=preferred_language(request.environ.get("HTTP_ACCEPT_LANGUAGE", "")),
        )
        return route.handler(call)


class _Bottle(bottle.Bottle):  # type: ignore[misc]
    """A Bottle app that answers its own errors (no such address, wrong method) in the same form as all others."""

    def __init__(self, error_page: Callable[[HttpError, Environ], Reply]) -> None:
        super().__init__()
        self._error_page = error_page

    def default_error_handler(self, error: bottle.HTTPError) -> bytes:
        if error.status_code >= 500:
            log.error("the web part failed", exc_info=error.exception)
        headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        refused = _http_response(
            self._error_page(http_error_of_status(error.status_code, headers), bottle.request.environ)
        )
        refused.apply(bottle.response)
        body: bytes = refused.body
        return body


def make_app(store: Store, services: Services, stream_lifetime_s: float = LIFETIME_S) -> WebApp:
    """The app of one daemon. Tests use a short lifetime for streams."""
    return WebApp(store, services, stream_lifetime_s)


@functools.cache
def _document(version: str) -> bytes:
    """Made when it is first asked for: it takes longer than the rest of the app."""
    return json.dumps(make_document(ROUTES, version)).encode()


def _document_route(version: str) -> Route:
    def get_openapi(_: Call) -> Reply:
        return Reply(_document(version), "application/json", headers={"Cache-Control": "no-cache"})

    return Route(
        "GET", f"{API}/openapi.json", get_openapi, "This document", "status", media_types=("application/json",)
    )


def _raw_body(environ: Environ) -> bytes:
    source: io.BufferedIOBase = environ["wsgi.input"]
    return source.read(int(environ.get("CONTENT_LENGTH") or 0))


def _response(route: Route, answer: Any) -> bottle.HTTPResponse:
    if isinstance(answer, msgspec.Struct):
        answer = Reply(json_bytes(answer), "application/json", route.status)
    headers = {"Cache-Control": "no-store", **answer.headers}
    if answer.media_type:
        headers["Content-Type"] = answer.media_type
    return bottle.HTTPResponse(answer.body, answer.status, **headers)


def _http_response(reply: Reply) -> bottle.HTTPResponse:
    return bottle.HTTPResponse(reply.body, reply.status, **{"Content-Type": reply.media_type, **reply.headers})
