"""Every error raised on purpose. Imports nothing, so that every part may import it.

`message` says what happened in one sentence for a person, `hint` what to do about it.
"""


class ComparImgError(Exception):
    """The root of the tree."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


# About how the program was called or set up: exit code 2, HTTP 400.


class UsageError(ComparImgError):
    """A wrong argument, parameter or request."""

    def __init__(self, message: str, hint: str = "", field: str = "") -> None:
        super().__init__(message, hint)
        self.field = field


class ConfigError(ComparImgError):
    """A configuration that cannot be used: every problem found, each with the place it was found at."""

    def __init__(self, source: str, problems: list[str]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{source}: {count}\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.source = source
        self.problems = problems


class NotFound(ComparImgError):
    """What was asked for is not in the index: HTTP 404."""


# About one file: recorded as a problem, never the end of a job.


class PictureError(ComparImgError):
    """A file that cannot be read as a picture; `reason` is one of the words below."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StepRefused(ComparImgError):
    """A step of a batch that is not done, because something is not as it was; `reason` is a word for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
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
    """The running job was asked to leave off."""
