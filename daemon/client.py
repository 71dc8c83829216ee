"""REST to a running daemon, over urllib: what comparimg-ctl speaks."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from index.errors import ComparImgError, NoDaemon, NotFound, UsageError

TIMEOUT_S = 30.0


class Client:
    """Requests to one daemon, by paths that daemon.ctl.rest_path makes. Raises NoDaemon when nobody answers, and the
    daemon's own errors as ours."""

    def __init__(self, address: str, token: str = "") -> None:
        """Raises UsageError for what is no address, or can be no token."""
        self.address = _checked_address(address)
        if not (token.isascii() and token.isprintable()):
            raise UsageError("The token has characters that none can have.", "See $COMPARIMG_TOKEN.", field="token")
        self._token = token

    def get(self, path: str, /, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, urllib.parse.urlencode(given, errors="surrogateescape"))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("POST", path, body=body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("PUT", path, body=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("PATCH", path, body=body)

    def delete(self, path: str) -> Any:
        return self._ask("DELETE", path)

    def pages(self, path: str, limit: int | None = None, /, **query: Any) -> Iterator[Mapping[str, Any]]:
        """Every item of a paged list, up to `limit`, fetched page by page."""
        given = 0
        cursor = None
        while True:
            page = self.get(path, cursor=cursor, limit=min(limit - given, 200) if limit else 200, **query)
            for item in page["items"]:
                yield item
                given += 1
                if given == limit:
                    return
            cursor = page.get("next")
            if cursor is None:
                return

    def _ask(self, method: str, path: str, query: str = "", body: Mapping[str, Any] | None = None) -> Any:
        address = f"{self.address}/api/v1/{path}" + (f"?{query}" if query else "")
        request = urllib.request.Request(address, None if body is None else _json(body), method=method)
        request.add_header("Accept", "application/json")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise _translated(error.code, error.read()) from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise NoDaemon(
                f"No daemon answers at {self.address} ({reason}).",
                "Start it with `make run`, or name its address with --address.",
            ) from error
        except (ValueError, http.client.HTTPException, OSError) as error:
            raise ComparImgError(f"What answers at {self.address} is no ComparImg.") from error


def _checked_address(text: str) -> str:
    hint = "Give one like http://localhost:5000 with --address."
    try:
        parts = urllib.parse.urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        is_good = False
    if not (is_good and text.isascii() and text.isprintable() and not set(text) & set(' "<>\\^`{|}?#')):
        raise UsageError(f"{text!r} is no address of a daemon.", hint, field="address")
    return text.rstrip("/")


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError as error:
        raise UsageError("Numbers that are infinite, or none, cannot be sent.") from error


def _translated(status: int, body: bytes) -> ComparImgError:
    try:
        told = json.loads(body)["error"]
        message, hint, field = str(told["message"]), told.get("hint") or "", told.get("field") or ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ComparImgError(f"The daemon answered {status}: {body[:200]!r}")
    if status == 404:
        return NotFound(message, hint)
    if status == 400 or status == 422:
        return UsageError(message, hint, field)
    return ComparImgError(message, hint)
