"""Every error raised on purpose. Imports index.messages and nothing else, so that every part may import it.

`message` says what happened in one sentence for a person, `hint` what to do about it, None where there is nothing to
say; both are messages by code, and `str(error)` is the sentence in English.
"""

from collections.abc import Sequence

from index.messages import Message, hint_of, joined


class ComparImgError(Exception):
    """The root of the tree."""

    def __init__(self, code: str | Message, /, *, hint: Message | None = None, **params: object) -> None:
        """A code of the catalogue with its parameters, or a message. The hint is the one that the catalogue has for the
        code, unless one is given."""
        self.message = code if isinstance(code, Message) else Message(code, **params)
        self.hint = hint or hint_of(self.message)
        super().__init__(self.message)

    def __str__(self) -> str:
        return str(self.message)

    @property
    def advice(self) -> Message:
        """The message with the hint behind it."""
        return self.message if self.hint is None else Message("join.sentences", first=self.message, rest=self.hint)


# About how the program was called or set up: exit code 2, HTTP 400.


class UsageError(ComparImgError):
    """A wrong argument, parameter or request; `field` names it."""

    def __init__(
        self, code: str | Message, /, *, hint: Message | None = None, field: str = "", **params: object
    ) -> None:
        super().__init__(code, hint=hint, **params)
        self.field = field


class ConfigError(ComparImgError):
    """A configuration that cannot be used: every problem found, each with the place it was found at."""

    def __init__(self, source: str | Message, problems: Sequence[Message]) -> None:
        listed = joined("join.lines", [Message("config.problem", problem=problem) for problem in problems])
        super().__init__("config.problems", source=source, n=len(problems), problems=listed)
        self.source = source
        self.problems = list(problems)


class NotFound(ComparImgError):
    """What was asked for is not in the index: HTTP 404."""


# About one file: recorded as a problem, never the end of a job.


class PictureError(ComparImgError):
    """A file that cannot be read as a picture; `reason` is a word for programs."""

    def __init__(self, reason: str, code: str | Message, /, *, hint: Message | None = None, **params: object) -> None:
        super().__init__(code, hint=hint, **params)
        self.reason = reason


class FileError(OSError):
    """What is wrong with a file where the system sees nothing wrong; `message` says it in our words."""

    def __init__(self, number: int, code: str | Message, path: str | None = None) -> None:
        self.message = code if isinstance(code, Message) else Message(code)
        super().__init__(number, str(self.message), path)


class StepRefused(ComparImgError):
    """A step of a batch that is not done, because something is not as it was; `reason` is a word for programs."""

    def __init__(self, reason: str, code: str | Message, /, *, hint: Message | None = None, **params: object) -> None:
        super().__init__(code, hint=hint, **params)
        self.reason = reason


# About the index.


class StoreError(ComparImgError):
    """The index cannot be opened, read or written."""


class StoreClosed(StoreError):
    """A question or a change came after the index was closed."""


class NoRoom(StoreError):
    """The disk of the index is full. Nothing is lost: the same change may be made when there is room again."""


class StoreDamaged(StoreError):
    """The index file is not whole, gone, or another one. The next start restores it."""


# About the service.


class AlreadyRunning(ComparImgError):
    """Another process holds this index."""


class NoDaemon(ComparImgError):
    """No daemon answers at the configured address: exit code 3."""


class Cancelled(ComparImgError):
    """The running job was cancelled."""
