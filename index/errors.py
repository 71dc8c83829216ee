"""Every error that is raised deliberately. Imports only index.messages, so that every part may import it.

`message` is a sentence for a person that says what happened. `hint` says what to do about it, or is None. Both are
messages by code; `str(error)` is the sentence in English.
"""

from collections.abc import Sequence

from index.messages import Message, hint_of, joined


class ComparImgError(Exception):
    """The base class of all errors."""

    def __init__(self, code: str | Message, /, *, hint: Message | None = None, **params: object) -> None:
        """Takes a code of the catalogue with its parameters, or a message. The hint is the catalogue's hint for the
        code, unless one is given."""
        self.message = code if isinstance(code, Message) else Message(code, **params)
        self.hint = hint or hint_of(self.message)
        super().__init__(self.message)

    def __str__(self) -> str:
        return str(self.message)

    @property
    def advice(self) -> Message:
        """The message, followed by the hint."""
        return self.message if self.hint is None else Message("join.sentences", first=self.message, rest=self.hint)


# Errors in how the program was called or set up: exit code 2, HTTP 400.


class UsageError(ComparImgError):
    """A wrong argument, parameter or request; `field` names it."""

    def __init__(
        self, code: str | Message, /, *, hint: Message | None = None, field: str = "", **params: object
    ) -> None:
        super().__init__(code, hint=hint, **params)
        self.field = field


class ConfigError(ComparImgError):
    """A configuration that cannot be used. Lists every problem, each with its place in the file."""

    def __init__(self, source: str | Message, problems: Sequence[Message]) -> None:
        listed = joined("join.lines", [Message("config.problem", problem=problem) for problem in problems])
        super().__init__("config.problems", source=source, n=len(problems), problems=listed)
        self.source = source
        self.problems = list(problems)


class NotFound(ComparImgError):
    """The requested thing is not in the index: HTTP 404."""


# Errors of one file: recorded as problems; they never end a job.


class PictureError(ComparImgError):
    """A file that cannot be read as a picture; `reason` is a word for programs."""

    def __init__(self, reason: str, code: str | Message, /, *, hint: Message | None = None, **params: object) -> None:
        super().__init__(code, hint=hint, **params)
        self.reason = reason


class FileError(OSError):
    """A problem with a file that is no error for the system; `message` describes it."""

    def __init__(self, number: int, code: str | Message, path: str | None = None) -> None:
        self.message = code if isinstance(code, Message) else Message(code)
        super().__init__(number, str(self.message), path)


class StepRefused(ComparImgError):
    """A step of a batch that is not performed, because something has changed; `reason` is a word for programs."""

    def __init__(self, reason: str, code: str | Message, /, *, hint: Message | None = None, **params: object) -> None:
        super().__init__(code, hint=hint, **params)
        self.reason = reason


# Errors of the index.


class StoreError(ComparImgError):
    """The index cannot be opened, read or written."""


class StoreClosed(StoreError):
    """A query or a change came after the index was closed."""


class NoRoom(StoreError):
    """The disk of the index is full. Nothing is lost: the same change can be made when there is space again."""


class StoreDamaged(StoreError):
    """The index file is damaged, missing, or has been replaced. The next start restores it."""


# Errors of the service.


class AlreadyRunning(ComparImgError):
    """Another process uses this index."""


class NoDaemon(ComparImgError):
    """No daemon answers at the configured address: exit code 3."""


class Cancelled(ComparImgError):
    """The running job was cancelled."""
