"""Common parts of the JSON schemas of REST. Answers are instances of the schemas, and OpenAPI is generated from them.

Times are ISO 8601 in UTC. A path is given twice: as `path` for display, in which bytes that are not UTF-8 become
U+FFFD, and as `uri`, an exact file URI (RFC 8089). Where REST accepts a path, it accepts both forms, and Python's
surrogateescape.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote_to_bytes

import msgspec
from msgspec import Meta

from webui.http_errors import HttpError

HIGHEST_ID = 2**63 - 1

Time = Annotated[str, Meta(description="ISO 8601, UTC", extra_json_schema={"format": "date-time"})]
Path = Annotated[str, Meta(description="For display: bytes that are not UTF-8 are U+FFFD")]
EscapedPath = Annotated[str, Meta(description="Exact: bytes that are not UTF-8 are lone surrogates, \\udcXX")]
Uri = Annotated[str, Meta(description="The exact path as a file URI", pattern="^file:///")]
TakenPath = Annotated[str, Meta(max_length=4096)]
Cursor = Annotated[str, Meta(description="`next` of the previous page", max_length=1000)]
Limit = Annotated[int, Meta(ge=1, le=200, description="The maximum number of items")]
RowId = Annotated[int, Meta(ge=1, le=HIGHEST_ID)]
Count = Annotated[int, Meta(ge=0)]
MessageCode = Annotated[str | None, Meta(description="The code of the sentence, null if there is none")]
MessageParams = Annotated[
    dict[str, Any] | None,
    Meta(description="The parameters: texts, numbers, or messages as {code, params}"),
]
KindName = Literal["exact", "pixels", "near", "possible"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all objects in answers."""


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all query parameters; unknown ones are refused."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all objects in requests; unknown fields are refused."""


class ListQuery(Query, frozen=True, kw_only=True):
    cursor: Cursor = ""
    limit: Limit = 50


# Conversions


def iso_time(moment_ns: int) -> str:
    """A time as ISO 8601 with milliseconds. Times outside the years 1 to 9999 are clipped."""
    moment_ms = max(-62_135_596_800_000, min(moment_ns // 10**6, 253_402_300_799_999))
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC).replace(microsecond=moment_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_time(moment_ns: int | None) -> str | None:
    return None if moment_ns is None else iso_time(moment_ns)


def path_text(path: bytes) -> str:
    """A path for display, in which every byte that is not UTF-8 becomes U+FFFD."""
    return path.decode("utf-8", "replace")


def path_uri(path: bytes) -> str:
    return "file://" + quote(path)


def path_bytes(text: str) -> bytes:
    """The path that a text represents: a file URI, or the path itself. Raises HttpError if it is neither."""
    try:
        path = text.encode("utf-8", "surrogateescape")
        return unquote_to_bytes(path.removeprefix(b"file://")) if path.startswith(b"file:///") else path
    except UnicodeEncodeError as error:
        raise HttpError(400, "bad_request", "rest.no_path", field="path") from error


def json_safe(value: Any) -> Any:
    """Plain data in which file URIs replace texts with lone surrogates, which many JSON parsers refuse."""
    match value:
        case str() if not value.isprintable() and any("\udc80" <= letter <= "\udcff" for letter in value):
            return path_uri(value.encode("utf-8", "surrogateescape"))
        case list() | tuple():
            return [json_safe(item) for item in value]
        case dict():
            return {name: json_safe(item) for name, item in value.items()}
    return value


def json_bytes(answer: msgspec.Struct) -> bytes:
    return json.dumps(msgspec.to_builtins(answer)).encode()
