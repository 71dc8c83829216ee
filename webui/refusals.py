"""The one shape of every error that leaves the web part, and how errors of the house become it."""

import json
from collections.abc import Mapping

import msgspec
import peewee

from index.errors import ComparImgError, ConfigError, NotFound, StoreClosed, StoreError, UsageError


class ErrorDetail(msgspec.Struct, frozen=True):
    """`code` is a word for programs, `message` a sentence for people, `field` what in the request is at fault."""

    code: str
    message: str
    field: str | None = None
    hint: str | None = None


class ErrorAnswer(msgspec.Struct, frozen=True):
    """What every answer with a status of 400 and above carries."""

    error: ErrorDetail


class Refusal(ComparImgError):
    """A request that is answered with an error: the status, and what the error shape says."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        field: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code
        self.field = field
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        detail = ErrorDetail(self.code, self.message, self.field or None, self.hint or None)
        return json.dumps(msgspec.to_builtins(ErrorAnswer(detail))).encode()


def refusal_for(error: ComparImgError | peewee.PeeweeException) -> Refusal:
    """The answer to an error raised on purpose, or by the index being busy."""
    match error:
        case Refusal():
            return error
        case UsageError():
            return Refusal(400, "bad_request", error.message, error.hint, error.field)
        case ConfigError():
            return Refusal(400, "bad_request", "; ".join(error.problems), error.hint)
        case NotFound():
            return Refusal(404, "not_found", error.message, error.hint)
        case StoreClosed():
            return Refusal(503, "stopping", "ComparImg is stopping.", headers={"Retry-After": "10"})
        case StoreError():
            return Refusal(503, "index_busy", error.message, error.hint, headers={"Retry-After": "5"})
        case ComparImgError():
            return Refusal(409, "refused", error.message, error.hint)
        case _:
            return Refusal(
                503, "index_busy", f"The index cannot be used right now: {error}.", headers={"Retry-After": "5"}
            )


STATUS_WORDS = {
    400: ("bad_request", "The request cannot be understood."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not answer that method."),
    413: ("too_large", "The request is too large."),
    431: ("too_large", "The headers of the request are too large."),
    500: ("internal", "Something went wrong inside ComparImg; the log tells what."),
    501: ("not_implemented", "The request uses a part of HTTP that is not served."),
}


def refusal_of_status(status: int, headers: Mapping[str, str] | None = None) -> Refusal:
    """The answer where only a status is known: no such address, a wrong method, a failure of the program."""
    code, message = STATUS_WORDS.get(status, ("refused", "The request was refused."))
    return Refusal(status, code, message, headers=headers)
