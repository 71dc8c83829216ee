"""What the web part is given by whoever runs it: the parts of the daemon it asks, as plain calls."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from index.grouping.keeper import CRITERIA
from index.records.uptime import BootTime


@dataclass(frozen=True, slots=True)
class SettingView:
    """One setting: its value now, and where that comes from ("default", "file" or "override").

    `accepted` says in words what may be given; `choices` and the bounds are there where there are such. One that is
    not `live` cannot be changed while the service runs, and is shown only. The value of a secret is never in here.
    """

    key: str
    type: str
    value: Any
    default: Any
    origin: str
    accepted: str
    help: str
    live: bool = True
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


class Settings(Protocol):
    """Every setting, and the change of those that may change while the service runs."""

    def views(self) -> Sequence[SettingView]: ...

    def change(self, changes: Mapping[str, Any]) -> None:
        """Override these settings; None goes back to the configuration file's value. All of them or none.

        Raises UsageError with the key as its field.
        """


@dataclass(frozen=True, slots=True)
class WebAccess:
    """Where the page listens and whom it lets in. `names` are further host names it may be called by."""

    host: str = "127.0.0.1"
    port: int = 5000
    token: str = ""
    language: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RootWatch:
    """How a root is watched: `mode` is "native" or "poll", `folders` how many the system tells of, `note` why it is
    polled where it might be expected not to be."""

    mode: str = ""
    folders: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Services:
    """`make_view` gives the JPEG of a content's view for the page (512 pixels), `make_crop` that of a part of it (left,
    top, width and height in pixels as shown, and the longest side to be answered); both raise PictureError.
    `recompress` makes what a dry run measured, by the id of its report, and raises PictureError and NotFound. The
    others give what their names say; `elapsed_ns` is of a clock that nobody sets. Any thread may call."""

    version: str
    started_ns: int
    settings: Settings
    make_view: Callable[[int], bytes]
    make_crop: Callable[[int, tuple[int, int, int, int], int], bytes]
    health: Callable[[], Mapping[str, bool]]
    now_ns: Callable[[], int]
    next_run_ns: Callable[[int], int | None]
    schedules_changed: Callable[[], None]
    root_watch: Callable[[bytes], RootWatch] = lambda _: RootWatch()
    worker_losses: Callable[[], Mapping[str, int]] = dict
    test_notices: Callable[[], Mapping[str, str]] = dict
    keeper_criteria: Callable[[], Sequence[str]] = lambda: tuple(CRITERIA)
    destinations: Callable[[], Mapping[str, bytes]] = dict
    recompress: Callable[[int], bytes] = lambda _: b""
    retention_days: Callable[[], float] = lambda: 30.0
    index_restored: bool = False
    index_put_back: Callable[[], bool] = lambda: False
    web: WebAccess = field(default_factory=WebAccess)
    elapsed_ns: Callable[[], int] = time.monotonic_ns
    boot_time: Callable[[], BootTime] = lambda: BootTime("", 0)
