"""What a route is: an address, what it takes and answers, and the function behind it. OpenAPI and app read the table.

A handler is given a `Call` and returns a shape of webui.shapes, or a `Reply` where it is not plain JSON.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import parse_qsl

import bottle
import msgspec

from index.store import Store
from webui.crops import Crops
from webui.events import EventStreams
from webui.originals import Originals
from webui.refusals import Refusal
from webui.services import Services
from webui.shapes import HIGHEST_ID
from webui.statistics import Figures
from webui.thumbnails import Views

API = "/api/v1"

# Decisions over ten thousand groups fit in; nothing a person sends is larger.
BODY_LIMIT_BYTES = 4 * 2**20


class Headers(bottle.WSGIHeaderDict):  # type: ignore[misc]
    """As they came: bottle's own would fail at one that is no UTF-8."""

    def __getitem__(self, key: str) -> str:
        return str(self.environ[self._ekey(key)])


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked: the id in the address, the query and the body are of the route's types. `address` is
    whom it comes from, `gone` tells whether they still listen."""

    store: Store
    services: Services
    views: Views
    crops: Crops
    figures: Figures
    originals: Originals
    streams: EventStreams
    key: Any
    query: Any
    body: Any
    headers: Mapping[str, str]
    address: str
    gone: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in full, for what is more than a shape with the route's status."""

    body: bytes | Iterable[bytes] | IO[bytes]
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """`path` may hold one name in braces, `key_type` says whether it is a number or a word. `answer` is a shape, or
    None where the answer is not JSON; `media_types` are then what it may be. `errors` are the statuses it may refuse
    with, besides those that every route may. With `body_optional` no body is one with all defaults. `any_query`
    leaves the query to the page's own modules."""

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


def read_key(route: Route, text: str | None) -> Any:
    """The id in an address. Raises Refusal, as for something that does not exist, when it can be none."""
    if route.key_type is None or text is None:
        return None
    if route.key_type is str and len(text) <= 100:
        return text
    if route.key_type is int and text.isascii() and text.isdecimal() and len(text) < 20 and 0 < int(text) <= HIGHEST_ID:
        return int(text)
    raise Refusal(404, "not_found", "There is nothing at this address.")


def read_query(route: Route, query_string: str) -> Any:
    """The typed query. Raises Refusal naming the parameter that is wrong, unknown or given twice."""
    given: dict[str, str] = {}
    pairs = parse_qsl(query_string, keep_blank_values=True, encoding="utf-8", errors="surrogateescape")
    for name, value in pairs:
        if name in given:
            raise Refusal(400, "bad_request", f"{name} is given twice.", field=name)
        given[name] = value
    if route.any_query:
        return None
    if route.query is None:
        if given:
            name = next(iter(given))
            raise Refusal(400, "bad_request", f"There is no parameter {name} here.", field=name)
        return None
    return _convert(given, route.query, strict=False)


def read_body(route: Route, media_type: str, raw: bytes) -> Any:
    """The typed JSON body. Raises Refusal naming the field that is wrong or unknown."""
    if route.body is None:
        return None
    if route.body_optional and not raw:
        return _convert({}, route.body, strict=True)
    if media_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "not_json", "The body must be JSON.", "Send Content-Type: application/json.")
    try:
        # Not msgspec's own decoder: it refuses the lone surrogates by which paths that are no UTF-8 come back.
        given = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "bad_json", f"The body is no JSON: {error}.") from error
    return _convert(given, route.body, strict=True)


def _convert(given: Any, kind: Any, strict: bool) -> Any:
    try:
        return msgspec.convert(given, kind, strict=strict)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `")
        name = place.rstrip("`").removeprefix("$.").removeprefix("$")
        if not name and "unknown field `" in message:
            name = message.rsplit("`", 2)[1]
        raise Refusal(400, "bad_request", f"{message}.", field=name) from error
    except UnicodeEncodeError as error:
        # A lone surrogate where a word was expected; where a path may stand it is taken.
        raise Refusal(400, "bad_request", "A text in it is no Unicode.") from error
