"""The interface of webui to the daemon: the parts of the daemon that it uses, as plain functions."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from index.database.records.uptime import BootTime
from index.imaging.grouping.keeper import CRITERIA
from index.messages import Message


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting: its present value, and the origin of that value ("default", "file" or "override").

    `accepted` describes the accepted values. `choices` and the bounds are set if there are any. A setting that is not
    `live` is read-only while the service runs. The value of a secret is never included.
    """

    key: str
    type: str
    value: Any
    default: Any
    origin: str
    accepted: Message
    help: str
    live: bool = True
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


class Settings(Protocol):
    """All settings, and the way to change those that may change while the service runs."""

    def all_settings(self) -> Sequence[EffectiveSetting]: ...

    def change(self, changes: Mapping[str, Any]) -> None:
        """Override these settings, all of them or none. None removes an override.

        Raises UsageError with the key as its field.
        """


@dataclass(frozen=True, slots=True)
class WebAccess:
    """Where the page listens, and who has access. `names` are additional host names by which it may be requested.
    `auth_header` is the header in which the proxies at `auth_proxies` name a user who has signed in there."""

    host: str = "127.0.0.1"
    port: int = 5000
    token: str = ""
    language: str = ""
    names: tuple[str, ...] = ()
    auth_header: str = ""
    auth_proxies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RootWatch:
    """How a root is watched. `mode` is "native" or "poll". `folders` is the number of folders whose changes the system
    reports. `note` says why the root is polled, if that is unexpected."""

    mode: str = ""
    folders: int = 0
    note: Message | None = None


@dataclass(frozen=True, slots=True)
class RootSetting:
    """How a watched folder is set up. `origin` is "file" (comparimg.toml), "start" (named when the service was started)
    or "page". `changed` has the keys that were changed on the page, for a folder that was not added there.
    `protected_by` is "file", "page" or ""; a marker file may protect it as well. `mode` is the requested mode, which
    may be "auto"."""

    path: bytes
    origin: str
    recursive: bool
    exclude: tuple[str, ...]
    priority: int
    mode: str
    protected_by: str
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A folder that is offered: its path without links, its name, and whether it is already watched."""

    path: bytes
    name: bytes
    watched: bool


@dataclass(frozen=True, slots=True)
class FolderListing:
    """The folders in `under`, or only some of them if `is_cut`. `parent` is b"" for a folder at the top of what is
    offered. It is None for the list of these, and for a folder outside them, which is not `is_offered`."""

    under: bytes
    parent: bytes | None
    entries: tuple[FolderEntry, ...]
    is_cut: bool
    is_offered: bool = True


@dataclass(frozen=True, slots=True)
class Destination:
    """A named folder that images can be moved to; `origin` is "file" or "page"."""

    name: str
    path: bytes
    origin: str


class Folders(Protocol):
    """The watched folders and the destinations, and how to change them while the service runs. Every change may raise
    UsageError or NotFound, and ComparImgError for entries of comparimg.toml."""

    def roots(self) -> Mapping[bytes, RootSetting]: ...

    def add_root(self, path: bytes, values: Mapping[str, Any]) -> bytes:
        """Watch a folder. Returns its path without links, under which it is watched."""

    def change_root(self, path: bytes, changes: Mapping[str, Any]) -> None: ...

    def remove_root(self, path: bytes) -> None: ...

    def add_temporary(self, path: bytes, recursive: bool) -> bytes:
        """Index a folder for a limited search, with or without the folders below it. Returns its path without links. A
        watched folder stays as it is."""

    def browse(self, under: bytes) -> FolderListing: ...

    def write_problem(self, path: bytes) -> Message | None: ...

    def destinations(self) -> Sequence[Destination]: ...

    def add_destination(self, name: str, path: bytes, create: bool) -> Destination: ...

    def remove_destination(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class RemoteWorker:
    """A machine that was invited to do work. `connected_ns` is None while it is disconnected. `processes` and `address`
    are those of its last connection. `done` counts tasks by work since the service or its configuration was started,
    and `came_home` the tasks that it failed to do. `problem` says why it gets no work, or why it disconnected."""

    name: str
    invited_ns: int
    connected_ns: int | None = None
    address: str = ""
    processes: int = 0
    away: int = 0
    done: Mapping[str, int] = field(default_factory=dict)
    came_home: int = 0
    problem: Message | None = None


@dataclass(frozen=True, slots=True)
class Lending:
    """What is lent to other machines. `address` is where they connect to; it is "" if nothing listens, and nothing
    should. `lend` has the works that are lent. `listening` says whether the process that listens is running, and
    `isolated` whether the kernel denies it every file. `problem` says why it is not running."""

    address: str = ""
    lend: tuple[str, ...] = ()
    listening: bool = False
    isolated: bool = False
    problem: Message | None = None
    workers: Sequence[RemoteWorker] = ()
    home_processes: int = 0
    home_done: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Services:
    """The functions of the daemon. All are thread-safe.

    `make_preview` returns the JPEG of a content's preview (512 pixels). `make_crop` returns the JPEG of a crop (left,
    top, width and height in pixels as displayed, and the longest side of the result). Both raise PictureError.
    `recompress` repeats a compression that a dry run measured, by the id of its report; it raises PictureError and
    NotFound. `elapsed_ns` is a monotonic clock.
    """

    version: str
    started_ns: int
    settings: Settings
    make_preview: Callable[[int], bytes]
    make_crop: Callable[[int, tuple[int, int, int, int], int], bytes]
    health: Callable[[], Mapping[str, bool]]
    now_ns: Callable[[], int]
    next_run_ns: Callable[[int], int | None]
    schedules_changed: Callable[[], None]
    folders: Folders
    root_watch: Callable[[bytes], RootWatch] = lambda _: RootWatch()
    worker_losses: Callable[[], Mapping[str, int]] = dict
    lending: Callable[[], Lending] = Lending
    test_notices: Callable[[], Mapping[str, Message | None]] = dict
    keeper_criteria: Callable[[], Sequence[str]] = lambda: tuple(CRITERIA)
    destinations: Callable[[], Mapping[str, bytes]] = dict
    recompress: Callable[[int], bytes] = lambda _: b""
    retention_days: Callable[[], float] = lambda: 30.0
    index_restored: bool = False
    index_put_back: Callable[[], bool] = lambda: False
    web: WebAccess = field(default_factory=WebAccess)
    elapsed_ns: Callable[[], int] = time.monotonic_ns
    boot_time: Callable[[], BootTime] = lambda: BootTime("", 0)
    component_versions: Mapping[str, str] = field(default_factory=dict)
