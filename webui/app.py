"""The WSGI app: the table of routes on a bottle of its own, behind the guard. Any web thread runs it."""

import io
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import bottle
import msgspec
import peewee

from index.errors import ComparImgError
from index.store import Store
from webui.api import status
from webui.api.table import ROUTES
from webui.crops import Crops
from webui.events import LIFETIME_S, EventStreams
from webui.openapi import make_document
from webui.originals import Originals
from webui.pages import Pages, page_routes
from webui.refusals import Refusal, refusal_for, refusal_of_status
from webui.routes import API, Call, Headers, Reply, Route, read_body, read_key, read_query
from webui.security import Environ, Gate, Guard, StartResponse
from webui.services import Services, WebAccess
from webui.shapes import json_bytes
from webui.statistics import Figures
from webui.thumbnails import Views

log = logging.getLogger(__name__)


class WebApp:
    """A WSGI app over one index; `close` ends its streams of events."""

    def __init__(self, store: Store, services: Services, stream_lifetime_s: float) -> None:
        self._store = store
        self._services = services
        self._views = Views(store.data_dir / "views", services.make_view, services.elapsed_ns)
        self._crops = Crops(services.make_crop)
        self._figures = Figures(store, services.elapsed_ns)
        self._originals = Originals()
        self._streams = EventStreams(store, lambda: status.topics(store, services), stream_lifetime_s)
        self._gate = gate = Gate(services.web, services.now_ns, services.elapsed_ns)
        self._pages = Pages(services, gate)
        self._bottle = _Bottle(self._pages.told)
        self._bottle.config["json.enable"] = False
        document = json.dumps(make_document(ROUTES, services.version)).encode()
        self.routes: tuple[Route, ...] = (
            *ROUTES,
            _document_route(document),
            *page_routes(self._pages),
        )
        for route in self.routes:
            address = route.path.replace("{file}", "<file:path>").replace("{id}", "<id>")
            self._bottle.route(address, route.method, self._responder(route))
        self._guarded = Guard(self._bottle, gate, self._pages.told)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self._guarded(environ, start_response)

    def let_in(self, access: WebAccess) -> None:
        """Let in whom another configuration lets in, from now on. Sessions go with the token they were given for."""
        self._gate.access = access

    def close(self) -> None:
        self._streams.close()

    def _responder(self, route: Route) -> Any:
        def respond(**keys: str) -> bottle.HTTPResponse:
            try:
                return _response(route, self._answer(route, next(iter(keys.values()), None)))
            except (ComparImgError, peewee.PeeweeException) as error:
                refusal = refusal_for(error)
                # What is refused for now, as too many ask, is no fault to be told of each time.
                if refusal.status >= 500 and not isinstance(error, Refusal):
                    log.warning("%s %s: %s", route.method, route.path, refusal.message)
            except Exception:
                log.exception("%s %s failed", route.method, route.path)
                refusal = refusal_of_status(500)
            return _refused(self._pages.told(refusal, bottle.request.environ))

        return respond

    def _answer(self, route: Route, key: str | None) -> Any:
        request = bottle.request
        call = Call(
            store=self._store,
            services=self._services,
            views=self._views,
            crops=self._crops,
            figures=self._figures,
            originals=self._originals,
            streams=self._streams,
            key=read_key(route, key),
            query=read_query(route, request.environ.get("QUERY_STRING", "")),
            body=read_body(route, request.environ.get("CONTENT_TYPE", ""), _raw_body(request.environ)),
            headers=Headers(request.environ),
            address=request.environ.get("REMOTE_ADDR", ""),
            gone=request.environ.get("waitress.client_disconnected", lambda: False),
        )
        return route.handler(call)


class _Bottle(bottle.Bottle):  # type: ignore[misc]
    """A bottle whose own errors (no such address, wrong method) are told as all others are."""

    def __init__(self, tell: Callable[[Refusal, Environ], Reply]) -> None:
        super().__init__()
        self._tell = tell

    def default_error_handler(self, error: bottle.HTTPError) -> bytes:
        if error.status_code >= 500:
            log.error("the web part failed", exc_info=error.exception)
        headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        refused = _refused(self._tell(refusal_of_status(error.status_code, headers), bottle.request.environ))
        refused.apply(bottle.response)
        body: bytes = refused.body
        return body


def make_app(store: Store, services: Services, stream_lifetime_s: float = LIFETIME_S) -> WebApp:
    """The app of one daemon. Tests give the streams a short life."""
    return WebApp(store, services, stream_lifetime_s)


def _document_route(document: bytes) -> Route:
    def get_openapi(_: Call) -> Reply:
        return Reply(document, "application/json", headers={"Cache-Control": "no-cache"})

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


def _refused(told: Reply) -> bottle.HTTPResponse:
    return bottle.HTTPResponse(told.body, told.status, **{"Content-Type": told.media_type, **told.headers})
