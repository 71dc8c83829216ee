"""comparimg.toml -> one frozen Config: found, read and checked as a whole, every problem told at once.

The keys, their defaults and what they accept are those of index.settings; here is how they make a configuration.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from daemon.configuration.places import why_not
from index.errors import ConfigError, UsageError
from index.images.walk import Exclusions, is_at_or_below
from index.model import default_tolerance
from index.settings import (
    BY_KEY,
    SETTINGS,
    Setting,
    check_tolerance,
    merge,
    near_name,
    shown,
)

FILE_NAME = "comparimg.toml"
SYSTEM_FILE = Path("/etc/comparimg") / FILE_NAME
SECTIONS = tuple(dict.fromkeys(definition.key.partition(".")[0] for definition in SETTINGS))


class DaemonSection(msgspec.Struct, frozen=True, kw_only=True):
    data_dir: Path
    workers: int
    log: str
    log_file: Path | None
    time_limit_s: float
    memory_mb: int
    max_megapixels: int
    settle_s: float
    poll_s: float
    scan_interval_h: float
    backups: int


class WatchSection(msgspec.Struct, frozen=True, kw_only=True):
    """One watched folder: `path` is absolute, patterns are as walk takes them."""

    path: bytes
    recursive: bool
    exclude: tuple[bytes, ...]
    protected: bool
    priority: int
    mode: str


class DetectSection(msgspec.Struct, frozen=True, kw_only=True):
    algorithm: str
    hsize: int
    tolerance: int
    turns: bool
    verify: bool
    depth: str
    schedule: str


class SortSection(msgspec.Struct, frozen=True, kw_only=True):
    """`destinations` are absolute folders by name, `rules` criteria of index.grouping.keeper, `retention` days."""

    destinations: dict[str, bytes]
    rules: tuple[str, ...]
    companions: str
    carry_metadata: bool
    retention: int


class CompressSection(msgspec.Struct, frozen=True, kw_only=True):
    quality: int
    target: str
    resolution: str
    keep_ratio: bool
    enlarge: bool
    format: str
    strip: bool
    colours: int
    least_gain: float
    size_threshold_mb: float
    modify_source: bool
    delete_source: bool
    recursive: bool
    schedule: str


class WebSection(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int
    token: str
    language: str
    names: tuple[str, ...]


class NotifySection(msgspec.Struct, frozen=True, kw_only=True):
    command: tuple[str, ...]
    webhook: str
    events: tuple[str, ...]
    interval_min: float


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What a service or a command runs with. `source` is the file read, None where there was none; `given` are the
    keys that stand in it."""

    daemon: DaemonSection
    watch: tuple[WatchSection, ...]
    detect: DetectSection
    sort: SortSection
    compress: CompressSection
    web: WebSection
    notify: NotifySection
    source: Path | None
    given: frozenset[str]

    def values(self) -> dict[str, Any]:
        """Every value by its key; those of the watched folders are one list under `watch`."""
        found: dict[str, Any] = {"watch": [msgspec.structs.asdict(root) for root in self.watch]}
        for section in SECTIONS:
            if section != "watch":
                for name, value in msgspec.structs.asdict(getattr(self, section)).items():
                    found[f"{section}.{name}"] = value
        return found


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in `path`, else in the first place that has one, else the defaults. Raises ConfigError."""
    source = find(path, environ)
    return _build(source, {} if source is None else _parse(source), environ)


def parsed(text: str, source: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration that a text would make as the file `source`. Raises ConfigError."""
    return _build(source, _table(text, source), environ)


def for_photos(folder: Path, path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration that `load` finds, with this one folder in place of its watched ones.

    Raises ConfigError, and UsageError where there is no such folder.
    """
    folder = Path(os.path.abspath(os.path.expanduser(folder)))
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", "Give the folder of your pictures.", field="photos")
    source = find(path, environ)
    table = {} if source is None else _parse(source)
    return _build(source, {**table, "watch": [{"path": str(folder)}]}, environ)


def find(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file to read: the one named, $COMPARIMG_CONFIG, ./comparimg.toml, the user's, the system's, or None."""
    if path is not None:
        return Path(os.path.abspath(os.path.expanduser(path)))
    if named := environ.get("COMPARIMG_CONFIG"):
        return Path(os.path.abspath(os.path.expanduser(named)))
    # os.path and not Path: a user without a home, or who may not look into a place, has no file there.
    own = Path(environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")) / "comparimg" / FILE_NAME
    places = (Path.cwd() / FILE_NAME, own, SYSTEM_FILE)
    return next((place for place in places if os.path.exists(place)), None)


def describe(config: Config, overrides: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of key, value, origin ("default", "file" or "override") and help; the token is told as being set."""
    rows = []
    values = merge(config.values(), overrides)
    for definition in SETTINGS:
        if definition.key.startswith("watch."):
            continue
        value = values[definition.key]
        if definition.secret and value:
            value = "(set)"
        rows.append({"key": definition.key, "value": plain(value), "origin": origin(definition.key, config, overrides),
                     "help": definition.help})  # fmt: skip
    for number, root in enumerate(config.watch):
        for name, value in msgspec.structs.asdict(root).items():
            key = f"watch[{number}].{name}"
            rows.append({"key": key, "value": plain(value), "origin": origin(key, config, overrides),
                         "help": BY_KEY[f"watch.{name}"].help})  # fmt: skip
    return rows


def origin(key: str, config: Config, overrides: Mapping[str, Any]) -> str:
    """Where the value of a key comes from."""
    if key == "detect.tolerance" and key not in overrides and "detect.hsize" in overrides:
        # Bits mean something at the hsize they were given for only (see index.settings.merge).
        return origin(key, config, {}) if overrides["detect.hsize"] == config.detect.hsize else "default"
    if key in overrides:
        return "override"
    return "file" if key in config.given else "default"


def plain(value: Any) -> Any:
    """A value as JSON can hold it; a path that is not UTF-8 with surrogate escapes."""
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value


def _parse(source: Path) -> dict[str, Any]:
    try:
        # Some editors begin a text with a byte order mark, which is no TOML.
        return _table(source.read_text("utf-8-sig"), source)
    except OSError as error:
        raise ConfigError(str(source), [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(source), [f"is no UTF-8 text: byte {error.start}"]) from error


def _table(text: str, source: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(source), [f"is no TOML: {error}"]) from error


@dataclass
class _Reader:
    """Takes the sections out of a parsed file and keeps every problem, so that nobody mends them one by one."""

    folder: Path
    problems: list[str] = field(default_factory=list)
    given: set[str] = field(default_factory=set)

    def section(self, name: str, table: Any, place: str) -> dict[str, Any]:
        """The values of one section by name, defaults where nothing (good) is given. `place` is told for it."""
        definitions = {one.key.partition(".")[2]: one for one in SETTINGS if one.key.startswith(f"{name}.")}
        values: dict[str, Any] = {key: one.default for key, one in definitions.items()}
        if not isinstance(table, dict):
            self.problems.append(f"{place}: {shown(table)} is no section; accepted: [{name}] with its keys.")
            return values
        for key, given in table.items():
            if key in definitions:
                values[key] = self._value(definitions[key], given, f"{place}.{key}")
            else:
                near = near_name(key, definitions)
                accepted = f"accepted: {', '.join(definitions)}."
                self.problems.append(f"{place}.{key}: there is no such key. {near or accepted}")
        for key, one in definitions.items():
            if one.required and key not in table:
                self.problems.append(f"{place}.{key}: is missing; accepted: {one.accepted}.")
        return values

    def _value(self, definition: Setting, given: Any, place: str) -> Any:
        self.given.add(place)
        try:
            return definition.check(given)
        except UsageError as error:
            self.problems.append(f"{place}: {error.message}")
            return definition.default

    def absolute(self, text: str, place: str) -> Path:
        """A path in the file: ~ is the home, and relative is to the file's folder."""
        try:
            return Path(os.path.abspath(self.folder / Path(text).expanduser()))
        except RuntimeError:
            self.problems.append(f"{place}: {shown(text)} names no user's home; accepted: a folder.")
            return self.folder


def _build(source: Path | None, table: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    reader = _Reader(Path.cwd() if source is None else source.parent)
    for name in table:
        if name not in SECTIONS:
            accepted = f"accepted: {', '.join(SECTIONS)}."
            reader.problems.append(f"{name}: there is no such section. {near_name(name, SECTIONS) or accepted}")
    plain_sections = [name for name in SECTIONS if name != "watch"]
    sections = {name: reader.section(name, table.get(name, {}), name) for name in plain_sections}
    daemon, detect, sort = sections["daemon"], sections["detect"], sections["sort"]

    daemon["data_dir"] = reader.absolute(daemon["data_dir"] or usual_data_dir(environ), "daemon.data_dir")
    daemon["log_file"] = reader.absolute(daemon["log_file"], "daemon.log_file") if daemon["log_file"] else None
    daemon["workers"] = daemon["workers"] or len(os.sched_getaffinity(0))
    if detect["tolerance"] is None:
        detect["tolerance"] = default_tolerance(detect["hsize"])
    sort["destinations"] = {
        name: os.fsencode(reader.absolute(folder, f"sort.destinations.{name}"))
        for name, folder in sort["destinations"].items()
    }
    watch = _watched(reader, table.get("watch", []))
    reader.problems += _contradictions(sections, watch)
    if reader.problems:
        raise ConfigError("the default configuration" if source is None else str(source), reader.problems)
    return Config(
        daemon=DaemonSection(**daemon),
        watch=watch,
        detect=DetectSection(**detect),
        sort=SortSection(**sort),
        compress=CompressSection(**sections["compress"]),
        web=WebSection(**sections["web"]),
        notify=NotifySection(**sections["notify"]),
        source=source,
        given=frozenset(reader.given),
    )


def _watched(reader: _Reader, tables: Any) -> tuple[WatchSection, ...]:
    if not isinstance(tables, list):
        reader.problems.append("watch: is one section; accepted: [[watch]], once for each folder.")
        return ()
    roots = []
    seen: dict[str, str] = {}
    for number, table in enumerate(tables):
        place = f"watch[{number}]"
        values = reader.section("watch", table, place)
        if values["path"] is None:
            continue
        path = reader.absolute(values["path"], f"{place}.path")
        first = seen.setdefault(os.path.realpath(path), place)
        if first != place:
            told = f"{path} is the folder of {first} already; accepted: each folder once."
            reader.problems.append(f"{place}.path: {told}")
        patterns = tuple(os.fsencode(pattern) for pattern in values["exclude"])
        roots.append(WatchSection(**{**values, "path": os.fsencode(path), "exclude": patterns}))
    return tuple(roots)


def _contradictions(sections: Mapping[str, Mapping[str, Any]], watch: Sequence[WatchSection]) -> list[str]:
    """What no key is to blame for alone."""
    problems = []
    try:
        check_tolerance(sections["detect"]["hsize"], sections["detect"]["tolerance"])
    except UsageError as error:
        problems.append(f"detect.tolerance: {error.message}")
    data_dir = os.fsencode(sections["daemon"]["data_dir"])
    for number, root in enumerate(watch):
        if told := why_not(root.path, [data_dir]):
            problems.append(f"watch[{number}].path: {os.fsdecode(root.path)} {told}.")
        elif _is_watched(root, data_dir):
            problems.append(
                f"daemon.data_dir: {os.fsdecode(data_dir)} is in the watched folder of watch[{number}]; accepted: a "
                "folder outside it, or one that exclude passes over."
            )
    for name, folder in sections["sort"]["destinations"].items():
        if told := why_not(folder, [data_dir]) or _wrong_destination(folder, watch):
            problems.append(f"sort.destinations.{name}: {os.fsdecode(folder)} {told}.")
    return problems


def _wrong_destination(folder: bytes, watch: Sequence[WatchSection]) -> str:
    """Why nothing can be moved to a folder, "" where it can. One that is not there may be on a disk that is away."""
    if os.path.exists(folder) and not os.path.isdir(folder):
        return "is no folder; accepted: a folder"
    for path in (folder, os.path.realpath(folder)):
        inside = [root for root in watch if is_at_or_below(path, root.path)]
        if inside and max(inside, key=lambda root: len(root.path)).protected:
            return "is in a protected folder, which is never changed; accepted: a folder outside it"
    return ""


def _is_watched(root: WatchSection, folder: bytes) -> bool:
    """Whether a walk of a root goes into a folder, be the root reached by a link, or the folder."""
    real = os.path.realpath(folder)
    for top, below in ((root.path, folder), (os.path.realpath(root.path), real)):
        if below != top and is_at_or_below(below, top) and root.recursive:
            return not Exclusions(top, root.exclude).excludes_path(below)
    return False


def usual_data_dir(environ: Mapping[str, str]) -> str:
    """The data folder where the configuration names none; may begin with ~."""
    if given := environ.get("STATE_DIRECTORY"):
        return given.partition(":")[0]
    return os.path.join(environ.get("XDG_DATA_HOME") or "~/.local/share", "comparimg")
