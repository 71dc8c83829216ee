"""Reads comparimg.toml into one frozen Config: finds it, checks it, and reports every problem at once.

The keys, their defaults and accepted values are defined in index.settings.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from daemon import memory_budget
from daemon.configuration.reserved_folders import objection
from index import operating_system
from index.errors import ConfigError, UsageError
from index.imaging.discovery.walk import Exclusions, is_at_or_below
from index.messages import Message, of_os_error
from index.model import default_tolerance
from index.settings import (
    BY_KEY,
    SETTINGS,
    Setting,
    check_tolerance,
    display_value,
    merge,
    suggestion,
)

RESTART_KEYS: Final = frozenset({"daemon.backups", "daemon.data_dir", "daemon.log_file", "web.host", "web.port"})
# Keys whose change restarts the job system. The others are read whenever they are needed.
JOB_SYSTEM_KEYS: Final = frozenset(
    {
        "watch", "daemon.workers", "daemon.time_limit_s", "daemon.memory_mb", "daemon.previews_mb",
        "daemon.max_megapixels", "daemon.settle_s", "daemon.poll_s", "daemon.scan_interval_h",
        "model.file", "model.size", "model.fit", "model.mean", "model.std", "model.layout", "model.channels",
        "model.output", "model.cosines", "model.provider", "workers.listen", "workers.lend",
    }
)  # fmt: skip

# The model that comes with the program.
DEFAULT_MODEL = "default"

FILE_NAME = "comparimg.toml"
SYSTEM_FILE = Path("/etc/comparimg") / FILE_NAME
# A file written by hand has some KB. What is larger is another file, or a device or a pipe that never ends.
MOST_BYTES: Final = 1_000_000
SECTIONS = tuple(dict.fromkeys(definition.key.partition(".")[0] for definition in SETTINGS))


class DaemonSection(msgspec.Struct, frozen=True, kw_only=True):
    data_dir: Path
    workers: int
    log: str
    log_file: Path | None
    time_limit_s: float
    memory_mb: int
    previews_mb: int
    max_megapixels: int
    settle_s: float
    poll_s: float
    scan_interval_h: float
    backups: int


class WatchSection(msgspec.Struct, frozen=True, kw_only=True):
    """One watched folder. `path` is absolute; the patterns are those of walk.Exclusions."""

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
    method: str
    schedule: str


class ModelSection(msgspec.Struct, frozen=True, kw_only=True):
    """The model: an absolute path, or DEFAULT_MODEL, and its description."""

    file: str
    size: str
    fit: str
    mean: str
    std: str
    layout: str
    channels: str
    output: str
    cosines: str
    provider: str


class SortSection(msgspec.Struct, frozen=True, kw_only=True):
    """`destinations` are absolute folders by name, `rules` are criteria of grouping.keeper, `retention` is in days."""

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
    baseline: bool
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
    auth_header: str
    auth_proxies: tuple[str, ...]
    browse: tuple[bytes, ...]


class WorkersSection(msgspec.Struct, frozen=True, kw_only=True):
    """What is lent to other machines, and where they connect: tls://host:port, "" for nowhere."""

    listen: str
    lend: tuple[str, ...]


class NotifySection(msgspec.Struct, frozen=True, kw_only=True):
    command: tuple[str, ...]
    webhook: str
    webhook_format: str
    events: tuple[str, ...]
    interval_min: float


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a service or a command. `source` is the file, None if there was none. `given` are the keys
    in it. The watched folders are those of the file, or one named at start: `watch_origin` is "file" or "start".
    """

    daemon: DaemonSection
    watch: tuple[WatchSection, ...]
    detect: DetectSection
    model: ModelSection
    sort: SortSection
    compress: CompressSection
    web: WebSection
    workers: WorkersSection
    notify: NotifySection
    source: Path | None
    given: frozenset[str]
    watch_origin: str = "file"

    def values(self) -> dict[str, Any]:
        """Every value, by its key. Those of the watched folders are one list under `watch`."""
        values: dict[str, Any] = {"watch": [msgspec.structs.asdict(root) for root in self.watch]}
        for section in SECTIONS:
            if section != "watch":
                for name, value in msgspec.structs.asdict(getattr(self, section)).items():
                    values[f"{section}.{name}"] = value
        return values


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in `path`, or else in the first place that has one, or else the defaults. Raises
    ConfigError."""
    source = find(path, environ)
    return _build(source, {} if source is None else _parse(source), environ)


def defaults() -> Config:
    """The configuration if there is no file."""
    return _build(None, {}, {})


def parse_text(text: str, source: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration that a text would give as the file `source`. Raises ConfigError."""
    return _build(source, _table(text, source), environ)


def for_photos(folder: Path, path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration that `load` finds, with this one folder instead of its watched folders.

    Raises ConfigError, and UsageError if there is no such folder.
    """
    folder = Path(os.path.abspath(os.path.expanduser(folder)))
    if not folder.is_dir():
        raise UsageError("config.photos_missing", path=folder, field="photos")
    source = find(path, environ)
    table = {} if source is None else _parse(source)
    config = _build(source, {**table, "watch": [{"path": str(folder)}]}, environ)
    return msgspec.structs.replace(config, watch_origin="start")


def find(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file to read: the given one, $COMPARIMG_CONFIG, ./comparimg.toml, the user's, the system's, or None."""
    if path is not None:
        return Path(os.path.abspath(os.path.expanduser(path)))
    if named := environ.get("COMPARIMG_CONFIG"):
        return Path(os.path.abspath(os.path.expanduser(named)))
    # os.path instead of Path: if there is no home, or a folder is inaccessible, this finds no file, and does not raise.
    own = Path(environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")) / "comparimg" / FILE_NAME
    places = (Path.cwd() / FILE_NAME, own, SYSTEM_FILE)
    return next((place for place in places if os.path.exists(place)), None)


def describe(config: Config, overrides: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of key, value, origin ("default", "file" or "override") and help. For a secret, only whether it is set."""
    rows = []
    values = merge(config.values(), overrides)
    for definition in SETTINGS:
        if definition.key.startswith("watch."):
            continue
        value = values[definition.key]
        if definition.secret and value:
            value = "(set)"
        rows.append(
            {
                "key": definition.key,
                "value": to_json(value),
                "origin": origin(definition.key, config, overrides),
                "help": definition.help,
            }
        )
    for number, root in enumerate(config.watch):
        for name, value in msgspec.structs.asdict(root).items():
            key = f"watch[{number}].{name}"
            rows.append({"key": key, "value": to_json(value), "origin": origin(key, config, overrides),
                         "help": BY_KEY[f"watch.{name}"].help})  # fmt: skip
    return rows


def origin(key: str, config: Config, overrides: Mapping[str, Any]) -> str:
    """Where the value of a key comes from."""
    if key == "detect.tolerance" and key not in overrides and "detect.hsize" in overrides:
        # A tolerance in bits is only valid for the hsize it was given for (see index.settings.merge).
        return origin(key, config, {}) if overrides["detect.hsize"] == config.detect.hsize else "default"
    if key in overrides:
        return "override"
    return "file" if key in config.given else "default"


def to_json(value: Any) -> Any:
    """A value converted for JSON. A path that is not UTF-8 gets surrogate escapes."""
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {name: to_json(item) for name, item in value.items()}
    return value


def text_of(source: Path) -> str:
    """The text of a configuration file, with any line endings as newlines. Raises ConfigError."""
    try:
        with source.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ConfigError(str(source), [Message("config.too_large", megabytes=MOST_BYTES // 1_000_000)])
        # Some editors write a byte order mark, which TOML does not allow.
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise ConfigError(str(source), [Message("config.unreadable", error=of_os_error(error))]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(source), [Message("config.no_utf8", byte=error.start)]) from error


def _parse(source: Path) -> dict[str, Any]:
    return _table(text_of(source), source)


def _table(text: str, source: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(source), [no_toml(error, text)]) from error


def no_toml(error: tomllib.TOMLDecodeError, text: str) -> Message:
    """Where a text is not TOML. What tomllib reports is in English, and hardly a sentence."""
    last = text.rstrip().split("\n")
    match = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
    line, column = (int(match[1]), int(match[2])) if match else (len(last), len(last[-1]) + 1)
    if "overwrite" in str(error) or "twice" in str(error):
        return Message("config.given_twice", line=line, column=column)
    return Message("config.no_toml", line=line, column=column)


@dataclass
class _Reader:
    """Reads the sections of a parsed file and collects every problem, so that all can be fixed at once."""

    folder: Path
    problems: list[Message] = field(default_factory=list)
    given: set[str] = field(default_factory=set)

    def section(self, name: str, table: Any, place: str) -> dict[str, Any]:
        """The values of one section by name, with defaults for missing and wrong ones. `place` is the name of the
        section in messages."""
        definitions = {
            definition.key.partition(".")[2]: definition
            for definition in SETTINGS
            if definition.key.startswith(f"{name}.")
        }
        values: dict[str, Any] = {key: definition.default for key, definition in definitions.items()}
        if not isinstance(table, dict):
            self.problems.append(Message("config.no_section", place=place, value=display_value(table), name=name))
            return values
        for key, given in table.items():
            if key in definitions:
                values[key] = self._value(definitions[key], given, f"{place}.{key}")
            else:
                advice = suggestion(key, definitions) or Message("config.accepted", names=", ".join(definitions))
                self.problems.append(Message("config.unknown_key", place=f"{place}.{key}", advice=advice))
        for key, definition in definitions.items():
            if definition.required and key not in table:
                self.problems.append(
                    Message("config.missing_key", place=f"{place}.{key}", accepted=definition.accepted)
                )
        return values

    def _value(self, definition: Setting, given: Any, place: str) -> Any:
        self.given.add(place)
        try:
            return definition.check(given)
        except UsageError as error:
            self.problems.append(Message("config.at", place=place, problem=error.message))
            return definition.default

    def absolute(self, text: str, place: str) -> Path:
        """A path in the file: ~ is the home, and a relative path is relative to the folder of the file."""
        try:
            return Path(os.path.abspath(self.folder / Path(text).expanduser()))
        except RuntimeError:
            self.problems.append(Message("config.no_home", place=place, value=display_value(text)))
            return self.folder


def _build(source: Path | None, table: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    reader = _Reader(Path.cwd() if source is None else source.parent)
    for name in table:
        if name not in SECTIONS:
            accepted = Message("config.accepted", names=", ".join(SECTIONS))
            reader.problems.append(
                Message("config.unknown_section", place=name, advice=suggestion(name, SECTIONS) or accepted)
            )
    plain_sections = [name for name in SECTIONS if name != "watch"]
    sections = {name: reader.section(name, table.get(name, {}), name) for name in plain_sections}
    daemon, detect, sort, model = (sections[name] for name in ("daemon", "detect", "sort", "model"))

    daemon["data_dir"] = reader.absolute(daemon["data_dir"] or default_data_dir(environ), "daemon.data_dir")
    daemon["log_file"] = reader.absolute(daemon["log_file"], "daemon.log_file") if daemon["log_file"] else None
    machine_mb = memory_budget.machine_mb()
    daemon["workers"] = daemon["workers"] or memory_budget.workers(machine_mb, operating_system.cores())
    daemon["memory_mb"] = daemon["memory_mb"] or memory_budget.memory_mb(machine_mb)
    if model["file"] != DEFAULT_MODEL:
        model["file"] = str(reader.absolute(model["file"], "model.file"))
    if detect["tolerance"] is None:
        detect["tolerance"] = default_tolerance(detect["hsize"])
    sort["destinations"] = {
        name: os.fsencode(reader.absolute(folder, f"sort.destinations.{name}"))
        for name, folder in sort["destinations"].items()
    }
    sections["web"]["browse"] = tuple(
        os.fsencode(reader.absolute(folder, "web.browse")) for folder in sections["web"]["browse"]
    )
    watch = _watch_sections(reader, table.get("watch", []))
    reader.problems += _conflicts(sections, watch)
    if reader.problems:
        raise ConfigError(Message("config.defaults") if source is None else str(source), reader.problems)
    return Config(
        daemon=DaemonSection(**daemon),
        watch=watch,
        detect=DetectSection(**detect),
        model=ModelSection(**model),
        sort=SortSection(**sort),
        compress=CompressSection(**sections["compress"]),
        web=WebSection(**sections["web"]),
        workers=WorkersSection(**sections["workers"]),
        notify=NotifySection(**sections["notify"]),
        source=source,
        given=frozenset(reader.given),
    )


def _watch_sections(reader: _Reader, tables: Any) -> tuple[WatchSection, ...]:
    if not isinstance(tables, list):
        reader.problems.append(Message("config.watch_no_list"))
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
            reader.problems.append(Message("config.folder_twice", place=f"{place}.path", path=path, first=first))
        patterns = tuple(os.fsencode(pattern) for pattern in values["exclude"])
        roots.append(WatchSection(**{**values, "path": os.fsencode(path), "exclude": patterns}))
    return tuple(roots)


def _conflicts(sections: Mapping[str, Mapping[str, Any]], watch: Sequence[WatchSection]) -> list[Message]:
    """The problems of keys that contradict one another."""
    problems: list[Message] = []
    try:
        check_tolerance(sections["detect"]["hsize"], sections["detect"]["tolerance"])
    except UsageError as error:
        problems.append(Message("config.at", place="detect.tolerance", problem=error.message))
    data_dir = os.fsencode(sections["daemon"]["data_dir"])
    for number, root in enumerate(watch):
        if problem := objection(root.path, [data_dir]):
            problems.append(_unusable(f"watch[{number}].path", root.path, problem))
        elif _is_watched(root, data_dir):
            problems.append(Message("config.data_dir_watched", path=os.fsdecode(data_dir), place=f"watch[{number}]"))
    for name, folder in sections["sort"]["destinations"].items():
        if problem := destination_problem(folder, data_dir, watch):
            problems.append(_unusable(f"sort.destinations.{name}", folder, problem))
    return problems


def root_problem(root: WatchSection, data_dir: bytes) -> Message | None:
    """Why a folder cannot be watched, None if it can. Its existence is not checked."""
    if problem := objection(root.path, [data_dir]):
        return problem
    return Message("config.holds_data_folder", path=os.fsdecode(data_dir)) if _is_watched(root, data_dir) else None


def destination_problem(folder: bytes, data_dir: bytes, watch: Sequence[WatchSection]) -> Message | None:
    """Why images cannot be moved to a folder, None if they can. It may be missing: its disk may not be mounted."""
    return objection(folder, [data_dir]) or _destination_problem(folder, watch)


def _unusable(place: str, folder: bytes, problem: Message) -> Message:
    return Message("config.folder_unusable", place=place, path=os.fsdecode(folder), problem=problem)


def _destination_problem(folder: bytes, watch: Sequence[WatchSection]) -> Message | None:
    if os.path.exists(folder) and not os.path.isdir(folder):
        return Message("config.no_folder")
    for path in (folder, os.path.realpath(folder)):
        inside = [root for root in watch if is_at_or_below(path, root.path)]
        if inside and max(inside, key=lambda root: len(root.path)).protected:
            return Message("config.in_protected_folder")
    return None


def _is_watched(root: WatchSection, folder: bytes) -> bool:
    """Whether a walk of a root visits a folder, even if the root or the folder is a link."""
    real = os.path.realpath(folder)
    for top, below in ((root.path, folder), (os.path.realpath(root.path), real)):
        if below != top and is_at_or_below(below, top) and root.recursive:
            return not Exclusions(top, root.exclude).excludes_path(below)
    return False


def default_data_dir(environ: Mapping[str, str]) -> str:
    """The default data folder, which may begin with ~."""
    if given := environ.get("STATE_DIRECTORY"):
        return given.partition(":")[0]
    return os.path.join(environ.get("XDG_DATA_HOME") or "~/.local/share", "comparimg")


def changed_keys(before: Config, after: Config) -> frozenset[str]:
    """The keys whose values differ. The watched folders together are the key `watch`."""
    old, new = before.values(), after.values()
    return frozenset(key for key in new if new[key] != old[key])


def keys_needing_restart(before: Config, after: Config) -> tuple[str, ...]:
    """The changed keys that need a restart."""
    return tuple(sorted(changed_keys(before, after) & RESTART_KEYS))
