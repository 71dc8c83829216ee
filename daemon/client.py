"""The REST client of comparimg-ctl, over urllib."""

import http.client
import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from index.errors import ComparImgError, NoDaemon, NotFound, UsageError
from index.messages import LANGUAGES, of_os_error, text

TIMEOUT_S = 30.0
# For an answer that is prepared completely before it is sent.
LONG_S = 600.0


class Client:
    """Sends requests to one daemon; daemon.ctl.rest_path makes their paths. Raises NoDaemon if none answers, and raises
    the daemon's errors as the matching exceptions."""

    def __init__(self, address: str, token: str = "", language: str = LANGUAGES[0]) -> None:
        """`language` is the language of the daemon's messages. Raises UsageError for an invalid address or token."""
        self.address = _checked_address(address)
        if not (token.isascii() and token.isprintable()):
            raise UsageError("ctl.token_characters", field="token")
        self._token = token
        self._language = language

    def get(self, path: str, /, **query: Any) -> Any:
        return self._ask("GET", path, _encoded(query))

    def download(self, path: str, target: BinaryIO, /, **query: Any) -> bool:
        """Copy an answer to a file while it arrives. Returns whether it has any bytes. The service may take long to
        begin."""

        def copy(answer: BinaryIO) -> bool:
            first = answer.read(1)
            target.write(first)
            shutil.copyfileobj(answer, target)
            return bool(first)

        return bool(self._ask("GET", path, _encoded(query), read=copy, timeout_s=LONG_S))

    def post(self, path: str, body: Mapping[str, Any], /, **query: Any) -> Any:
        return self._ask("POST", path, _encoded(query), body)

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

    def _ask(
        self,
        method: str,
        path: str,
        query: str = "",
        body: Mapping[str, Any] | None = None,
        *,
        read: Callable[[BinaryIO], Any] = lambda answer: json.loads(answer.read() or b"null"),
        timeout_s: float = TIMEOUT_S,
    ) -> Any:
        address = f"{self.address}/api/v1/{path}" + (f"?{query}" if query else "")
        request = urllib.request.Request(address, None if body is None else _json(body), method=method)
        request.add_header("Accept", "application/json")
        request.add_header("Accept-Language", self._language)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return read(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise _translated(error.code, error.read()) from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, OSError):
                reason = of_os_error(reason)
            raise NoDaemon("ctl.no_daemon", address=self.address, error=reason) from error
        except (ValueError, http.client.HTTPException, OSError) as error:
            raise ComparImgError("ctl.not_comparimg", address=self.address) from error


def _checked_address(text: str) -> str:
    try:
        parts = urllib.parse.urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        is_good = False
    if not (is_good and text.isascii() and text.isprintable() and not set(text) & set(' "<>\\^`{|}?#')):
        raise UsageError("ctl.no_address", address=text, field="address")
    return text.rstrip("/")


def _encoded(query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return urllib.parse.urlencode(given, errors="surrogateescape")


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError as error:
        raise UsageError("ctl.infinite_number") from error


def _translated(status: int, body: bytes) -> ComparImgError:
    try:
        error = json.loads(body)["error"]
        message, field = text(str(error["message"])), error.get("field") or ""
        hint = text(str(error["hint"])) if error.get("hint") else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ComparImgError("ctl.daemon_answered", status=status, body=repr(body[:200]))
    if status == 404:
        return NotFound(message, hint=hint)
    if status == 400 or status == 422:
        return UsageError(message, hint=hint, field=field)
    return ComparImgError(message, hint=hint)
