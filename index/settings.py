"""The settings: what each key of comparimg.toml means and accepts, and the few that may be changed while running.

A changed one is an override: a row of the table `setting` with its value as JSON, over the configuration file's value.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from peewee import SqliteDatabase

from index.errors import UsageError
from index.grouping import keeper
from index.model import HSIZES, Depth, default_tolerance
from index.schema import Setting as Row
from index.triggers import ACCEPTED as TRIGGER_ACCEPTED
from index.triggers import parse_trigger


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


# What a type is called in messages, and what of TOML and JSON it takes. A bool is an int to Python, and not to people.
TYPES: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "int": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "str": ("a text", lambda value: isinstance(value, str)),
    "list": ("a list of texts", _is_texts),
    "table": ("a table of texts", lambda value: isinstance(value, dict) and _is_texts(list(value.values()))),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. `default` None means that it is worked out, as `help` says, or (required) that there is none.

    `shape` checks more than type, choices and bounds can say: False where the value is wrong. `live` ones may be
    overridden while the service runs; a `secret` one is never shown.
    """

    key: str
    type: str
    default: Any
    help: str
    accepts: str = ""
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    shape: Callable[[Any], bool] | None = None
    live: bool = False
    required: bool = False
    secret: bool = False

    @property
    def accepted(self) -> str:
        """In words, what may be given."""
        if self.accepts:
            return self.accepts
        if self.choices and self.type == "list":
            return "a list of " + ", ".join(map(str, self.choices))
        if self.choices:
            *most, last = map(str, self.choices)
            return f"{', '.join(most)} or {last}" if most else last
        if self.minimum is not None:
            return f"{shown(self.minimum)} to {shown(self.maximum)}"
        return TYPES[self.type][0]

    def check(self, value: Any) -> Any:
        """The value as it is kept: lists as tuples, numbers as the setting's type. Raises UsageError."""
        if not (TYPES[self.type][1](value) and self._is_accepted(value)):
            told = "what is given" if self.secret else shown(value)
            raise UsageError(f"{told} is not accepted; accepted: {self.accepted}.", field=self.key)
        if self.type == "list":
            return tuple(value)
        return float(value) if self.type == "float" else value

    def _is_accepted(self, value: Any) -> bool:
        given = value if self.type == "list" else [value]
        if self.choices and not all(one in self.choices for one in given):
            return False
        if self.minimum is not None and self.maximum is not None and not self.minimum <= value <= self.maximum:
            return False
        return self.shape is None or self.shape(value)


def setting(key: str) -> Setting:
    """The definition of a key. Raises UsageError that suggests the nearest key there is."""
    if key not in BY_KEY:
        raise UsageError(f"There is no setting {key}.", near_name(key, BY_KEY), field=key)
    return BY_KEY[key]


def near_name(name: str, names: Iterable[str]) -> str:
    """ "Did you mean X?" for a misspelt name, or "" where nothing is near."""
    found = get_close_matches(name, list(names), 1, 0.6)
    return f"Did you mean {found[0]}?" if found else ""


def check_tolerance(hsize: int, tolerance: int) -> None:
    """Raises UsageError for a tolerance of more bits than a hash of that hsize has."""
    if tolerance > hsize**2:
        raise UsageError(
            f"{tolerance} is not accepted; accepted: 0 to {hsize**2}, the bits at hsize {hsize}, where "
            f"{default_tolerance(hsize)} is the default.",
            field="detect.tolerance",
        )


def parse_resolution(text: str) -> tuple[int, int]:
    """Width and height of "1920x1080". Raises UsageError."""
    width, sign, height = text.lower().partition("x")
    if not (sign and width.isascii() and width.isdecimal() and height.isascii() and height.isdecimal()):
        raise UsageError(f"{text!r} is no resolution; give width x height, 800x600 for example.", field="resolution")
    if not (0 < int(width) <= 65_535 and 0 < int(height) <= 65_535):
        raise UsageError(f"{text!r} is no resolution; each side has 1 to 65535 pixels.", field="resolution")
    return int(width), int(height)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def shown(value: Any) -> str:
    """A value as it stands in a TOML file."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


# The overrides.


def read_overrides(database: SqliteDatabase) -> dict[str, Any]:
    """Every override by its key. A row that another version left and this one cannot take is passed over."""
    found = {}
    for row in Row.select().order_by(Row.key).execute(database):
        definition = BY_KEY.get(row.key)
        if definition is None or not definition.live:
            continue
        try:
            found[row.key] = definition.check(json.loads(row.value))
        except (UsageError, ValueError):
            continue
    return found


def change_overrides(
    database: SqliteDatabase, configured: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Override settings and give every override there is now; None goes back to the configured value.

    `configured` holds the configuration's values by key. All of the changes or none: raises UsageError with the key
    as its field. A new hsize drops the override of a tolerance that was meant for the old one.
    """
    overrides = read_overrides(database)
    if "detect.hsize" in changes and "detect.tolerance" not in changes:
        overrides.pop("detect.tolerance", None)
    for key, value in changes.items():
        definition = setting(key)
        if not definition.live:
            raise UsageError(f"{key} cannot be changed while running.", "Change it in comparimg.toml.", field=key)
        if value is None:
            overrides.pop(key, None)
        else:
            overrides[key] = definition.check(value)
    merged = merge(configured, overrides)
    check_tolerance(merged["detect.hsize"], merged["detect.tolerance"])
    Row.delete().where(Row.key.in_([definition.key for definition in LIVE])).execute(database)
    rows = [{"key": key, "value": json.dumps(value)} for key, value in sorted(overrides.items())]
    if rows:
        Row.insert_many(rows).execute(database)
    return overrides


def merge(configured: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The values that hold, by key. A configured tolerance holds for the configured hsize only; for another that
    hsize's default does."""
    merged = {**configured, **overrides}
    if merged["detect.hsize"] != configured["detect.hsize"] and "detect.tolerance" not in overrides:
        merged["detect.tolerance"] = default_tolerance(merged["detect.hsize"])
    return merged


# The definitions, in the order of comparimg.toml.


def _is_folder(text: str) -> bool:
    return bool(text) and "\0" not in text


def _is_trigger(text: str) -> bool:
    try:
        return not text or bool(parse_trigger(text))
    except UsageError:
        return False


def _is_resolution(text: str) -> bool:
    try:
        return bool(parse_resolution(text))
    except UsageError:
        return False


def _is_token(text: str) -> bool:
    return not text or (len(text) >= 16 and text.isascii() and text.isprintable() and " " not in text)


def _is_hook(text: str) -> bool:
    return not text or re.fullmatch(r"https?://[^\s/]+\S*", text) is not None


def _schedule(section: str, what: str) -> Setting:
    return Setting(f"{section}.schedule", "str", "", f"When {what}; empty: only when asked for.",
                   f'"", {TRIGGER_ACCEPTED}', shape=_is_trigger)  # fmt: skip


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("daemon.data_dir", "str", None,
            "The folder of the index and its thumbnails. Left out: $STATE_DIRECTORY where systemd gives one, else "
            "$XDG_DATA_HOME/comparimg, else ~/.local/share/comparimg.", "a folder", shape=_is_folder),
    Setting("daemon.workers", "int", None,
            "How many processes decode pictures. Left out: one for each processor core.", minimum=1, maximum=256),
    Setting("daemon.log", "str", "info", "How much is logged.", choices=("debug", "info", "warning", "error")),
    Setting("daemon.log_file", "str", "",
            "A file to log to, which is begun anew at 10 MB, the last five kept. Empty: the journal under systemd, "
            "else standard error.", '"" or a file', shape=lambda text: "\0" not in text),
    Setting("daemon.time_limit_s", "float", 60.0, "Seconds that decoding one file may take.",
            minimum=1, maximum=3600),
    Setting("daemon.memory_mb", "int", 4096, "Megabytes of memory that a decoding process may use.",
            minimum=256, maximum=1000000),
    Setting("daemon.max_megapixels", "int", 500, "Larger pictures are not decoded; they are listed as problems.",
            minimum=1, maximum=100000),
    Setting("daemon.settle_s", "float", 3.0,
            "Seconds for which a changed file must stay as it is before it is read.", minimum=0, maximum=3600),
    Setting("daemon.poll_s", "float", 300.0,
            "Seconds between two walks through a folder whose changes the system does not tell of: a network folder, "
            "or one with too many folders to watch.", minimum=10, maximum=86400),
    Setting("daemon.scan_interval_h", "float", 6.0,
            "Hours between two walks through every folder, which find what the system did not report.",
            minimum=0.1, maximum=720),
    Setting("daemon.backups", "int", 3,
            "How many copies of the index are kept beside it, one made each day; 0: none.", minimum=0, maximum=100),
    Setting("watch.path", "str", None, "The folder; ~ is your home, and a relative path starts at this file.",
            "a folder", shape=_is_folder, required=True),
    Setting("watch.recursive", "bool", True, "Whether the folders below it belong to it."),
    Setting("watch.exclude", "list", (),
            'Shell patterns of names to pass over ("*.tmp"), or of paths below the folder ("old/*").',
            "a list of shell patterns", shape=all),
    Setting("watch.protected", "bool", False, "Whether its files are never moved, replaced or put in the trash."),
    Setting("watch.priority", "int", 0, "Of two equal images, the one in the folder of higher priority is kept.",
            minimum=-1000, maximum=1000),
    Setting("watch.mode", "str", "auto",
            "How changes are learnt of: told by the system (native), by looking again and again (poll, for network "
            "folders), or whichever fits (auto).", choices=("auto", "native", "poll")),
    Setting("detect.algorithm", "str", "phash", "The perceptual hash.", choices=("phash",)),
    Setting("detect.hsize", "int", 16, "The hash has hsize x hsize bits: more bits see more detail.",
            choices=HSIZES, live=True),
    Setting("detect.tolerance", "int", None,
            "How many bits two hashes may differ by for the pictures to be compared. Left out: 20, 80 or 320 at "
            "hsize 8, 16 or 32.", "0 to hsize x hsize", minimum=0, maximum=max(HSIZES) ** 2, live=True),
    Setting("detect.turns", "bool", True, "Whether mirrored and turned copies are found too.", live=True),
    Setting("detect.verify", "bool", True,
            "Whether the pictures themselves are compared where their hashes are near.", live=True),
    Setting("detect.depth", "str", Depth.FAST.value,
            "fast finds what the hashes can see; thorough looks for cropped and framed copies too, at many times "
            "the cost.", choices=tuple(depth.value for depth in Depth), live=True),
    _schedule("detect", "all duplicates are looked for anew"),
    Setting("sort.destinations", "table", {}, 'Named folders that images can be moved to: {best = "~/Best"}.',
            "a table of names and folders", shape=lambda table: all(table) and all(map(_is_folder, table.values()))),
    Setting("sort.rules", "list", tuple(keeper.CRITERIA),
            "What decides which image of a group is kept, the first first.",
            choices=tuple(keeper.CRITERIA),
            shape=lambda names: bool(names) and len(set(names)) == len(names), live=True),
    Setting("sort.companions", "str", "matched",
            "What becomes of the RAW, the Live Photo film and the sidecars (XMP, AAE) beside an image that goes: they "
            "go along (together), or the image stays (block); matched lets a RAW or film go to the trash only where "
            "the image to keep has the same one.", choices=("matched", "together", "block")),
    Setting("sort.carry_metadata", "bool", False,
            "Whether what only an image that goes to the trash tells (date, place, rating, keywords) is written into "
            "an XMP sidecar beside the one kept, where that has none. No picture is changed."),
    Setting("sort.retention", "int", 30,
            "Days for which an image in the trash is spared when the trash is emptied, by the clock and by the time "
            "the machine was on. It is never emptied unasked.",
            minimum=0, maximum=36500),
    Setting("compress.quality", "int", 100,
            "Quality of what is written. At 100 no pixel changes where the size stays: only the packing does.",
            minimum=1, maximum=100, live=True),
    Setting("compress.target", "str", "",
            "How the result must look beside its source, on the scale of SSIMULACRA 2 (90, 70, 50); the least quality "
            "that does is searched. Empty: the quality above.",
            '"", visually-lossless, high or medium', choices=("", "visually-lossless", "high", "medium"), live=True),
    Setting("compress.resolution", "str", "1920x1080", "Larger pictures are scaled down to fit.",
            "width x height in pixels, 1920x1080 for example", shape=_is_resolution, live=True),
    Setting("compress.keep_ratio", "bool", True, "Whether width and height keep their ratio.", live=True),
    Setting("compress.enlarge", "bool", False, "Whether smaller pictures are scaled up to fit, too.", live=True),
    Setting("compress.format", "str", "", "What pictures are converted to; empty: they keep their format.",
            '"", jpeg, webp or avif', choices=("", "jpeg", "webp", "avif"), live=True),
    Setting("compress.strip", "bool", False,
            "Whether metadata is dropped. Colours and orientation are kept in any case.", live=True),
    Setting("compress.colours", "int", 0, "PNG are reduced to so many colours; 0: they keep all.",
            "0, or 2 to 256", minimum=0, maximum=256, shape=lambda number: number != 1, live=True),
    Setting("compress.least_gain", "float", 3.0,
            "Percent by which a file must become smaller for it to be worth it.", minimum=0, maximum=99, live=True),
    Setting("compress.size_threshold_mb", "float", 1.0, "Smaller files are left alone, in megabytes.",
            minimum=0, maximum=100000, live=True),
    Setting("compress.modify_source", "bool", False,
            "Whether the smaller file takes the place of its source, which goes to the trash; otherwise it is "
            "written beside it with _resize in its name.", live=True),
    Setting("compress.delete_source", "bool", False, "Whether the source goes to the trash afterwards.", live=True),
    Setting("compress.recursive", "bool", False, "Whether the folders below are compressed too.", live=True),
    _schedule("compress", "compression runs"),
    Setting("web.host", "str", "127.0.0.1",
            "The address the page listens on. Any but this machine's own needs a token.",
            "an address or host name", shape=lambda text: text.isprintable() and bool(re.fullmatch(r"[^\s/]+", text))),
    Setting("web.port", "int", 5000, "The port it listens on; 0 takes a free one.", minimum=0, maximum=65535),
    Setting("web.token", "str", "",
            "What a browser or program must give to be let in. Empty: nothing on this machine's own address, and on "
            "any other one that is made at the first start, which comparimg-ctl token shows.",
            '"" or at least 16 characters without spaces', shape=_is_token, secret=True),
    Setting("web.language", "str", "", "The language of the page; empty: the browser's.",
            '"", en or fr', choices=("", "en", "fr")),
    Setting("web.names", "list", (), "Further host names the page may be called by, behind a proxy for example.",
            "a list of host names", shape=all),
    Setting("notify.command", "list", (),
            "A program that is run with each notice, as JSON on its standard input, with its arguments; empty: none.",
            "a program and its arguments", shape=all, secret=True),
    Setting("notify.webhook", "str", "", "An address that each notice is sent to, as JSON; empty: none.",
            '"" or an address that begins with http:// or https://', shape=_is_hook, secret=True),
    Setting("notify.events", "list", ("groups", "jobs", "problems", "roots"),
            "What is told of: new groups, jobs that ended, files that could not be read, folders that go offline.",
            choices=("groups", "jobs", "problems", "roots")),
    Setting("notify.interval_min", "float", 60.0,
            "Minutes between two notices at least: what happens meanwhile is told in one. Jobs that failed and folders "
            "that are gone wait five minutes at most.", minimum=1, maximum=10080),
)  # fmt: skip

BY_KEY: Final[Mapping[str, Setting]] = {definition.key: definition for definition in SETTINGS}
LIVE: Final[tuple[Setting, ...]] = tuple(definition for definition in SETTINGS if definition.live)
