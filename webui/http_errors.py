"""The JSON of every error response, and the mapping of our own errors to HTTP statuses."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import peewee

from index.errors import ComparImgError, ConfigError, NotFound, StoreClosed, StoreError, UsageError
from index.messages import Message, fields, joined, render


class ErrorDetail(msgspec.Struct, frozen=True):
    """`code` is a word for programs. `message` is a sentence for people, in the requested language; `message_code` and
    `message_params` are its parts. `field` is the part of the request at fault."""

    code: str
    message: str
    message_code: str
    message_params: dict[str, Any]
    field: str | None = None
    hint: str | None = None


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every answer with a status of 400 or above."""

    error: ErrorDetail


class HttpError(ComparImgError):
    """An error that is sent as the answer to a request: its status, and the fields of its body."""

    def __init__(
        self,
        status: int,
        word: str,
        code: str | Message,
        /,
        *,
        hint: Message | None = None,
        field: str = "",
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        """`word` is the code of the answer, `code` the code of the message."""
        super().__init__(code, hint=hint, **params)
        self.status = status
        self.code = word
        self.field = field
        self.headers = dict(headers or {})

    def body(self, language: str) -> bytes:
        """The answer as JSON, in one of the languages of the catalogue."""
        detail = ErrorDetail(
            self.code,
            field=self.field or None,
            hint=None if self.hint is None else render(self.hint, language),
            **fields("message", self.message, language),
        )
        return json.dumps(msgspec.to_builtins(ErrorAnswer(detail))).encode()


def http_error_for(error: ComparImgError | peewee.PeeweeException) -> HttpError:
    """The response to an error that was raised deliberately, or by the database."""
    match error:
        case HttpError():
            return error
        case UsageError():
            return HttpError(400, "bad_request", error.message, hint=error.hint, field=error.field)
        case ConfigError():
            return HttpError(400, "bad_request", joined("join.notes", error.problems), hint=error.hint)
        case NotFound():
            return HttpError(404, "not_found", error.message, hint=error.hint)
        case StoreClosed():
            return HttpError(503, "stopping", "rest.stopping", headers={"Retry-After": "10"})
        case StoreError():
            return HttpError(503, "index_busy", error.message, hint=error.hint, headers={"Retry-After": "5"})
        case ComparImgError():
            return HttpError(409, "refused", error.message, hint=error.hint)
        case _:
            return HttpError(503, "index_busy", "rest.busy_index", error=error, headers={"Retry-After": "5"})


STATUS_MESSAGES = {
    400: ("bad_request", "rest.bad_request"),
    404: ("not_found", "rest.no_address"),
    405: ("method_not_allowed", "rest.no_method"),
    413: ("too_large", "rest.too_large"),
    431: ("too_large", "rest.headers_too_large"),
    500: ("internal", "rest.internal"),
    501: ("not_implemented", "rest.not_implemented"),
}


def http_error_of_status(status: int, headers: Mapping[str, str] | None = None) -> HttpError:
    """The response if only a status is known: no such address, a wrong method, a failure of the program."""
    word, code = STATUS_MESSAGES.get(status, ("refused", "rest.refused"))
    return HttpError(status, word, code, headers=headers)
