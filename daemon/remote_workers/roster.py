"""The invited machines, and the certificates that identify them: files in the data folder.

Only its owner can read `workers/`. It contains the authority that signs certificates, the certificate of the service,
and the list of machines that are let in. A certificate is accepted only if it is on the list, even if the authority
signed it. Revoking one means to remove it from the list, which the service checks several times a second.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from daemon.configuration.tokens import give_to_owner_of
from index.errors import NotFound, StoreError, UsageError
from index.messages import of_os_error

FOLDER: Final = "workers"
AUTHORITY: Final = "authority.pem"
AUTHORITY_KEY: Final = "authority.key"
SERVICE: Final = "service.pem"
LIST: Final = "invited.json"
MOST_NAME: Final = 60


class Invited(msgspec.Struct, frozen=True):
    """A machine that is let in: its name, the SHA-256 of its certificate in hexadecimal, and since when it is
    invited."""

    name: str
    fingerprint: str
    invited_ns: int


class Roster:
    """The list in a data folder. Any process may use it."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / FOLDER

    @property
    def exists(self) -> bool:
        """Whether a machine was ever invited, so that there is a certificate of the service."""
        return (self.folder / SERVICE).exists() and (self.folder / AUTHORITY).exists()

    def invited(self) -> Sequence[Invited]:
        """The list. Raises StoreError if it cannot be read: then no one is let in."""
        path = self.folder / LIST
        try:
            return msgspec.json.decode(path.read_bytes(), type=list[Invited])
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError("lending.list_unreadable", file=path, error=of_os_error(error)) from error
        except ValueError as error:
            raise StoreError("lending.list_unreadable", file=path, error=error) from error

    def add(self, entry: Invited) -> None:
        """Add a machine. Raises UsageError if its name is taken, and StoreError."""
        with self.locked():
            entries = list(self.invited())
            if any(other.name == entry.name for other in entries):
                raise UsageError("lending.name_taken", name=entry.name, field="name")
            self._write([*entries, entry])

    def remove(self, name: str) -> None:
        """Remove a machine by its name. Raises NotFound and StoreError."""
        with self.locked():
            entries = self.invited()
            left = [entry for entry in entries if entry.name != name]
            if len(left) == len(entries):
                raise NotFound("lending.not_invited", name=name)
            self._write(left)

    def read(self, name: str) -> bytes:
        """The bytes of one file of the folder. Raises StoreError."""
        path = self.folder / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise StoreError("lending.unreadable", file=path, error=of_os_error(error)) from error

    def write(self, name: str, data: bytes) -> None:
        """Write one file of the folder atomically, readable by its owner only. Raises StoreError."""
        try:
            self._make_folder()
            write_private(self.folder / name, data)
            give_to_owner_of(self.folder, self.folder / name)
        except OSError as error:
            raise StoreError("lending.not_kept", file=self.folder / name, error=of_os_error(error)) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the list, so that no other process changes it meanwhile. Raises StoreError."""
        try:
            self._make_folder()
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise StoreError("lending.not_kept", file=self.folder, error=of_os_error(error)) from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            give_to_owner_of(self.folder.parent, self.folder)

    def _write(self, entries: Sequence[Invited]) -> None:
        self.write(LIST, msgspec.json.format(msgspec.json.encode(entries), indent=2))


def write_private(target: Path, data: bytes, replace: bool = True) -> None:
    """Write a file with mode 0600, never through a link. Without `replace`, the file must not exist yet. Raises
    OSError."""
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            partial.replace(target)
        else:
            os.link(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def check_name(name: str) -> str:
    """Check that a name is valid for a machine: letters, digits, . _ and -. Returns it. Raises UsageError."""
    is_good = 0 < len(name) <= MOST_NAME and all(letter.isalnum() or letter in "._-" for letter in name)
    if not is_good:
        raise UsageError("lending.no_name", name=name, most=MOST_NAME, field="name")
    return name
