"""Routes: an address, the types of its query, body and answer, and its handler. The app and OpenAPI read the table.

A handler takes a `Call`, and returns a schema (a msgspec.Struct), or a `Reply` if the answer is not plain JSON.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import parse_qsl

import bottle
import msgspec

from index.database.store import Store
from index.messages import LANGUAGES, Message
from index.validation import problem_of
from webui.crops import Crops
from webui.downloads import Downloads
from webui.events import EventStreams
from webui.http_errors import HttpError
from webui.schemas import HIGHEST_ID
from webui.services import Services
from webui.statistics_cache import StatisticsCache
from webui.thumbnails import Thumbnails

API = "/api/v1"

# Enough for decisions on ten thousand groups. No other request is larger.
BODY_LIMIT_BYTES = 4 * 2**20


class Headers(bottle.WSGIHeaderDict):  # type: ignore[misc]
    """The headers of a request as received. Bottle's own mapping fails on values that are not UTF-8."""

    def __getitem__(self, key: str) -> str:
        return str(self.environ[self._ekey(key)])


@dataclass(frozen=True, slots=True)
class Call:
    """One checked request. The id in the address (`key`), the query and the body have the types of the route. `address`
    is that of the client. `gone` returns whether it has disconnected. `language` is the language of messages in the
    answer."""

    store: Store
    services: Services
    thumbnails: Thumbnails
    crops: Crops
    statistics: StatisticsCache
    downloads: Downloads
    streams: EventStreams
    key: Any
    query: Any
    body: Any
    headers: Mapping[str, str]
    address: str
    gone: Callable[[], bool]
    language: str = LANGUAGES[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete response, for answers other than a schema with the status of the route."""

    body: bytes | Iterable[bytes] | IO[bytes]
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the table.

    `path` may contain one name in braces; `key_type` is its type, int or str. `answer` is a schema, or None if the
    answer is never JSON; it may have one of `media_types`. `errors` are the error statuses in addition to those of
    every route. With `body_optional`, a missing body means all defaults. `any_query` accepts any query, which the
    modules of the page read. `is_setup` marks a route that shows folders of the server or changes its setup: see
    AccessPolicy.check_setup.
    """

    method: str
    path: str
    handler: Callable[[Call], Any]
    summary: str
    tag: str
    answer: type[msgspec.Struct] | None = None
    media_types: tuple[str, ...] = ()
    status: int = 200
    key_type: type | None = None
    query: type[msgspec.Struct] | None = None
    any_query: bool = False
    body: Any = None
    body_optional: bool = False
    errors: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    is_setup: bool = False


def read_key(route: Route, text: str | None) -> Any:
    """The id in an address. Raises HttpError with 404 if the text is no valid id."""
    if route.key_type is None or text is None:
        return None
    if route.key_type is str and len(text) <= 100:
        return text
    if route.key_type is int and text.isascii() and text.isdecimal() and len(text) < 20 and 0 < int(text) <= HIGHEST_ID:
        return int(text)
    raise HttpError(404, "not_found", "rest.no_address")


def read_query(route: Route, query_string: str) -> Any:
    """The typed query. Raises HttpError with the parameter that is wrong, unknown or given twice."""
    given: dict[str, str] = {}
    pairs = parse_qsl(query_string, keep_blank_values=True, encoding="utf-8", errors="surrogateescape")
    for name, value in pairs:
        if name in given:
            raise HttpError(400, "bad_request", "rest.given_twice", name=name, field=name)
        given[name] = value
    if route.any_query:
        return None
    if route.query is None:
        if given:
            name = next(iter(given))
            raise HttpError(400, "bad_request", "rest.unknown_parameter", name=name, field=name)
        return None
    return _convert(given, route.query, strict=False)


def read_body(route: Route, media_type: str, raw: bytes) -> Any:
    """The typed JSON body. Raises HttpError with the field that is wrong or unknown."""
    if route.body is None:
        return None
    if route.body_optional and not raw:
        return _convert({}, route.body, strict=True)
    if media_type.partition(";")[0].strip().lower() != "application/json":
        raise HttpError(415, "not_json", "rest.not_json")
    try:
        # msgspec's own decoder refuses lone surrogates, which represent bytes of paths that are not UTF-8.
        given = json.loads(raw)
    except json.JSONDecodeError as error:
        place = Message("rest.bad_json_at", line=error.lineno, column=error.colno)
        raise HttpError(400, "bad_json", place) from error
    except (ValueError, RecursionError) as error:
        raise HttpError(400, "bad_json", "rest.bad_json") from error
    return _convert(given, route.body, strict=True)


def _convert(given: Any, kind: Any, strict: bool) -> Any:
    try:
        return msgspec.convert(given, kind, strict=strict)
    except msgspec.ValidationError as error:
        problem = problem_of(error, kind)
        raise HttpError(400, "bad_request", problem.message, hint=problem.hint, field=problem.field) from error
    except UnicodeEncodeError as error:
        # A lone surrogate in a text other than a path. In paths they are accepted.
        raise HttpError(400, "bad_request", "rest.no_unicode") from error
