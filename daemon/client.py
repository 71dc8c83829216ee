"""REST to a running daemon, over urllib: what comparimg-ctl speaks."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from index.errors import ComparImgError, NoDaemon, NotFound, UsageError

TIMEOUT_S = 30.0


class Client:
    """Requests to one daemon. Raises NoDaemon when nobody answers, and the daemon's own errors as ours."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address.rstrip("/")
        self._token = token

    def get(self, path: str, /, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path + ("?" + urllib.parse.urlencode(given) if given else ""))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("POST", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("PUT", path, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("PATCH", path, body)

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

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/api/v1/{path}", data, method=method)
        request.add_header("Accept", "application/json")
        if data is not None:
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


def _translated(status: int, body: bytes) -> ComparImgError:
    try:
        told = json.loads(body)["error"]
        message, hint, field = told["message"], told.get("hint") or "", told.get("field") or ""
    except (ValueError, KeyError, TypeError):
        return ComparImgError(f"The daemon answered {status}: {body[:200]!r}")
    if status == 404:
        return NotFound(message, hint)
    if status == 400 or status == 422:
        return UsageError(message, hint, field)
    return ComparImgError(message, hint)
