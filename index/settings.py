"""The settings: the meaning and accepted values of each key in comparimg.toml, and which can be changed at run time.

A setting that is changed at run time is an override: a row of the table `setting`, with its value as JSON. It takes
precedence over the configuration file.
"""

import ipaddress
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from index.errors import PictureError, UsageError
from index.imaging.embedding.cosine_limits import parse_limits
from index.imaging.embedding.model_input import CHANNELS, FITS, LAYOUTS, parse_numbers, parse_size
from index.imaging.grouping import keeper
from index.messages import Message, text
from index.model import HSIZES, Depth, Method, default_tolerance


def _is_string_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


# The name of each type in messages, and the values from TOML or JSON that it accepts. In Python a bool is an int; here
# it is not.
TYPES: Final[Mapping[str, tuple[Message, Callable[[Any], bool]]]] = {
    "bool": (Message("accepted.bool"), lambda value: isinstance(value, bool)),
    "int": (Message("accepted.int"), lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": (Message("accepted.float"), lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "str": (Message("accepted.str"), lambda value: isinstance(value, str)),
    "list": (Message("accepted.texts"), _is_string_list),
    "table": (
        Message("accepted.table"),
        lambda value: isinstance(value, dict) and _is_string_list(list(value.values())),
    ),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the configuration.

    If `default` is None, the default is calculated, as `help` says, or (`required`) there is none. `shape` checks what
    type, choices and bounds cannot express: it returns False for a wrong value. A `live` setting can be overridden
    while the service runs. The value of a `secret` setting is never shown.
    """

    key: str
    type: str
    default: Any
    help: str
    accepts: Message | None = None
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    shape: Callable[[Any], bool] | None = None
    live: bool = False
    required: bool = False
    secret: bool = False

    @property
    def accepted(self) -> Message:
        """A description of the accepted values."""
        if self.accepts is not None:
            return self.accepts
        if self.choices and self.type == "list":
            return Message("accepted.list", names=", ".join(map(str, self.choices)))
        if self.choices:
            *most, last = map(str, self.choices)
            return Message("accepted.choice", most=", ".join(most), last=last) if most else text(last)
        if self.minimum is not None:
            return Message("accepted.range", least=display_value(self.minimum), most=display_value(self.maximum))
        return TYPES[self.type][0]

    def check(self, value: Any) -> Any:
        """Check a value. Returns it in the form that is stored: lists as tuples, numbers as the setting's type. Raises
        UsageError."""
        if not (TYPES[self.type][1](value) and self._is_accepted(value)):
            if self.secret:
                raise UsageError("setting.secret_not_accepted", accepted=self.accepted, field=self.key)
            raise UsageError("setting.not_accepted", value=display_value(value), accepted=self.accepted, field=self.key)
        if self.type == "list":
            return tuple(value)
        return float(value) if self.type == "float" else value

    def _is_accepted(self, value: Any) -> bool:
        given = value if self.type == "list" else [value]
        if self.choices and not all(item in self.choices for item in given):
            return False
        if self.minimum is not None and self.maximum is not None and not self.minimum <= value <= self.maximum:
            return False
        return self.shape is None or self.shape(value)


def setting(key: str) -> Setting:
    """The definition of a key. Raises UsageError, with the most similar key as its hint."""
    if key not in BY_KEY:
        raise UsageError("setting.unknown", key=key, hint=suggestion(key, BY_KEY), field=key)
    return BY_KEY[key]


def suggestion(name: str, names: Iterable[str]) -> Message | None:
    """ "Did you mean X?" for a misspelt name; None if no name is similar."""
    matches = get_close_matches(name, list(names), 1, 0.6)
    return Message("setting.did_you_mean", name=matches[0]) if matches else None


def check_tolerance(hsize: int, tolerance: int) -> None:
    """Raises UsageError for a tolerance of more bits than a hash of this hsize has."""
    if tolerance > hsize**2:
        raise UsageError(
            "setting.tolerance_not_accepted",
            tolerance=tolerance,
            most=hsize**2,
            hsize=hsize,
            default=default_tolerance(hsize),
            field="detect.tolerance",
        )


def parse_resolution(text: str) -> tuple[int, int]:
    """The box into which a picture must fit: width and height of "1920x1080", or of "1920", which limits the longer
    side; (0, 0) for "", which means full size. Raises UsageError."""
    if not text:
        return 0, 0
    width, sign, height = text.lower().partition("x")
    if not sign:
        height = width
    if not (width.isascii() and width.isdecimal() and height.isascii() and height.isdecimal()):
        raise UsageError("setting.no_resolution", text=text, field="resolution")
    if not (0 < int(width) <= 65_535 and 0 < int(height) <= 65_535):
        raise UsageError("setting.resolution_out_of_range", text=text, field="resolution")
    return int(width), int(height)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached only from this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def parse_tls_address(address: str) -> tuple[str, int]:
    """The host and the port of `tls://host:port`. Raises ValueError."""
    parts = urllib.parse.urlsplit(address)
    extra = parts.path or parts.query or parts.fragment or parts.username is not None
    if parts.scheme != "tls" or not parts.hostname or not parts.port or extra or not address.isprintable():
        raise ValueError("not tls://HOST:PORT")
    return parts.hostname, parts.port


def display_value(value: Any) -> str:
    """A value as it is written in a TOML file."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {display_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(display_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(text: str) -> Network:
    """The network of "172.18.0.0/24", or of "172.18.0.2", which is one address. Raises ValueError.

    An address with bits beyond its prefix is refused, since it may be mistyped. An IPv4 address written as IPv6 is
    refused, too, since no client ever has it.
    """
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError("an IPv4 address written as IPv6")
    return network


# The overrides.


def merge(configured: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The effective values, by key. A configured tolerance belongs to the configured hsize. If another hsize is set,
    its default tolerance is used."""
    merged = {**configured, **overrides}
    if merged["detect.hsize"] != configured["detect.hsize"] and "detect.tolerance" not in overrides:
        merged["detect.tolerance"] = default_tolerance(merged["detect.hsize"])
    return merged


# The definitions, in the order of comparimg.toml.


def _is_folder(text: str) -> bool:
    return bool(text) and "\0" not in text


def _is_trigger(text: str) -> bool:
    if not text:
        return True
    # APScheduler takes a fifth of the time that most commands need; without schedules it is not loaded.
    from index.triggers import parse_trigger  # noqa: PLC0415

    try:
        return bool(parse_trigger(text))
    except UsageError:
        return False


def _is_resolution(text: str) -> bool:
    try:
        parse_resolution(text)
        return True
    except UsageError:
        return False


def _are_numbers(name: str) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse_numbers(name, text)
            return True
        except PictureError:
            return False

    return check


def _are_cosines(text: str) -> bool:
    try:
        parse_limits(text)
        return True
    except PictureError:
        return False


def _is_size(text: str) -> bool:
    try:
        return not text or bool(parse_size(text))
    except PictureError:
        return False


def _is_token(text: str) -> bool:
    return not text or (len(text) >= 16 and text.isascii() and text.isprintable() and " " not in text)


# Browsers or proxies send these headers for other reasons, so their values prove no one's name.
_NO_USER_HEADER = re.compile(
    r"host|cookie|authorization|proxy-.*|user-agent|origin|referer|from|date|expect|range|te|trailer|upgrade|via"
    r"|forwarded|x-forwarded-(for|host|proto|port|by|server|prefix)|x-real-ip|cf-connecting-ip|true-client-ip"
    r"|connection|keep-alive|transfer-.*|content-.*|accept.*|if-.*|sec-.*|cache-control|pragma|dnt|priority",
    re.IGNORECASE,
)


def _is_user_header(text: str) -> bool:
    # No underscores, since a WSGI server does not distinguish them from hyphens.
    return not text or bool(re.fullmatch(r"[A-Za-z0-9-]{1,100}", text) and not _NO_USER_HEADER.fullmatch(text))


def _are_networks(texts: Iterable[str]) -> bool:
    try:
        for text in texts:
            parse_network(text)
        return True
    except ValueError:
        return False


def _is_tls_address(text: str) -> bool:
    try:
        return not text or bool(parse_tls_address(text))
    except ValueError:
        return False


def _is_webhook(text: str) -> bool:
    return not text or re.fullmatch(r"https?://[^\s/]+\S*", text) is not None


def _schedule(section: str, what: str) -> Setting:
    return Setting(f"{section}.schedule", "str", "", f"When {what}; empty: only on request.",
                   Message("accepted.schedule", trigger=Message("trigger.accepted")), shape=_is_trigger)  # fmt: skip


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("daemon.data_dir", "str", None,
            "The folder of the index and the previews. Default: $STATE_DIRECTORY if systemd sets it, else "
            "$XDG_DATA_HOME/comparimg, else ~/.local/share/comparimg.", Message("accepted.folder"), shape=_is_folder),
    Setting("daemon.workers", "int", None,
            "The number of processes that decode pictures. Default: one for each processor core, as long as there is "
            "a gigabyte of memory for each.",
            minimum=1, maximum=256),
    Setting("daemon.log", "str", "info", "How much is logged.", choices=("debug", "info", "warning", "error")),
    Setting("daemon.log_file", "str", "",
            "A file to log to. It is rotated at 10 MB, and the last five are kept. Empty: the journal under systemd, "
            "else standard error.", Message("accepted.empty_or_file"), shape=lambda text: "\0" not in text),
    Setting("daemon.time_limit_s", "float", 60.0, "Seconds that decoding one file may take.",
            minimum=1, maximum=3600),
    Setting("daemon.memory_mb", "int", None,
            "Megabytes of address space that a decoding process may use, including some 500 for its libraries. "
            "Default: half of the machine's memory, at least 1024 and at most 4096.",
            minimum=256, maximum=1000000),
    Setting("daemon.previews_mb", "int", 4000,
            "Megabytes that the previews of pictures may take in the data folder. Those used least recently are "
            "removed, and recreated when needed.", minimum=100, maximum=10000000),
    Setting("daemon.max_megapixels", "int", 500, "Larger pictures are not decoded; they are listed as problems.",
            minimum=1, maximum=100000),
    Setting("daemon.settle_s", "float", 3.0,
            "Seconds for which a changed file must stay unchanged before it is read.", minimum=0, maximum=3600),
    Setting("daemon.poll_s", "float", 300.0,
            "Seconds between two scans of a folder whose changes the system does not report: a network folder, or one "
            "with too many folders to watch.", minimum=10, maximum=86400),
    Setting("daemon.scan_interval_h", "float", 6.0,
            "Hours between two scans of every folder, which find changes that the system did not report.",
            minimum=0.1, maximum=720),
    Setting("daemon.backups", "int", 3,
            "The number of backups of the index that are kept, one made each day; 0: none.", minimum=0, maximum=100),
    Setting("watch.path", "str", None, "The folder; ~ is your home, and a relative path is relative to this file.",
            Message("accepted.folder"), shape=_is_folder, required=True),
    Setting("watch.recursive", "bool", True, "Whether to include its subfolders."),
    Setting("watch.exclude", "list", (),
            'Shell patterns of names to skip ("*.tmp"), or of paths below the folder ("old/*").',
            Message("accepted.shell_patterns"), shape=all),
    Setting("watch.protected", "bool", False, "Whether its files are never moved, replaced or put in the trash."),
    Setting("watch.priority", "int", 0, "Of two equal images, the one in the folder of higher priority is kept.",
            minimum=-1000, maximum=1000),
    Setting("watch.mode", "str", "auto",
            "Change detection: reported by the system (native), by scanning at intervals (poll, for network folders), "
            "or as the file system needs (auto).", choices=("auto", "native", "poll")),
    Setting("detect.algorithm", "str", "phash", "The perceptual hash.", choices=("phash",)),
    Setting("detect.hsize", "int", 16, "The hash has hsize x hsize bits: more bits see more detail.",
            choices=HSIZES, live=True),
    Setting("detect.tolerance", "int", None,
            "The number of bits by which two hashes may differ for the pictures to be compared. Default: 20, 80 or "
            "320 for hsize 8, 16 or 32, lowered to as little as 18, 72 or 288 in a library of 65,536 images or more, "
            "if wrong pairs would cost more than reading the images.",
            Message("accepted.tolerance"), minimum=0, maximum=max(HSIZES) ** 2, live=True),
    Setting("detect.turns", "bool", True, "Whether mirrored and rotated copies are found, too.", live=True),
    Setting("detect.verify", "bool", True,
            "Whether the pictures themselves are compared if their hashes are close.", live=True),
    Setting("detect.depth", "str", Depth.FAST.value,
            "fast finds copies by their hashes; thorough also finds cropped and framed copies, at many times the "
            "cost, for at most 100,000 images.", choices=tuple(depth.value for depth in Depth), live=True),
    Setting("detect.method", "str", Method.AUTO.value,
            "Which pairs are compared: those with close hashes (hash); those, and pictures that a learned model finds "
            "similar (hash+model); those with close hashes that the model also finds similar (hash,model); those that "
            "the model finds similar (model). auto is hash+model if the included model is fast enough on this "
            "machine, else hash.",
            choices=tuple(method.value for method in Method), live=True),
    _schedule("detect", "a full detection runs"),
    Setting("model.file", "str", "default",
            "The ONNX file of the model, or default for the included one. The following keys describe it if the file "
            "does not (docs/guides/en/models.md).",
            Message("accepted.model"), shape=_is_folder),
    Setting("model.size", "str", "", "The size of its input in pixels; empty: as in the file, else 224x224.",
            Message("accepted.model_size"), shape=_is_size),
    Setting("model.fit", "str", "",
            "How a picture is fitted to that size: distorted (stretch), cut (crop) or surrounded (pad); empty: as in "
            "the file, else stretch.", Message("accepted.or_empty", names=", ".join(FITS)), choices=("", *FITS)),
    Setting("model.mean", "str", "",
            "What is subtracted from each channel, which is 0 to 255; empty: as in the file, else the mean of "
            "ImageNet.",
            Message("accepted.numbers"), shape=_are_numbers("mean")),
    Setting("model.std", "str", "", "What the result is divided by; empty: as in the file, else that of ImageNet.",
            Message("accepted.numbers"), shape=_are_numbers("std")),
    Setting("model.layout", "str", "", "The order of the input's dimensions; empty: as its shape shows.",
            Message("accepted.or_empty", names=", ".join(LAYOUTS)), choices=("", *LAYOUTS)),
    Setting("model.channels", "str", "", "The order of the colour channels; empty: as in the file, else rgb.",
            Message("accepted.or_empty", names=", ".join(CHANNELS)), choices=("", *CHANNELS)),
    Setting("model.output", "str", "", "The output that is the vector; empty: the first that has the shape of one."),
    Setting("model.cosines", "str", "",
            "The minimum cosine of the nearest picture, of the next nearest, and of a pair that hash,model accepts; "
            "empty: as in the file, else 0.5, 0.6 and 0.5.", Message("accepted.cosines"), shape=_are_cosines),
    Setting("model.provider", "str", "cpu",
            "What it runs on. openvino and cuda need a build of onnxruntime that has them.",
            choices=("cpu", "openvino", "cuda")),
    Setting("sort.destinations", "table", {}, 'Named folders that images can be moved to: {best = "~/Best"}.',
            Message("accepted.destinations"), shape=lambda table: all(table) and all(map(_is_folder, table.values()))),
    Setting("sort.rules", "list", tuple(keeper.CRITERIA),
            "The criteria that decide which image of a group is kept, highest priority first.",
            choices=tuple(keeper.CRITERIA),
            shape=lambda names: bool(names) and len(set(names)) == len(names), live=True),
    Setting("sort.companions", "str", "matched",
            "What happens to the RAW, the Live Photo video and the sidecars (XMP, AAE) of an image that is trashed or "
            "moved: they go along (together), or the image stays (block). With matched, a RAW or video is trashed only "
            "if the image to keep has the same one.", choices=("matched", "together", "block")),
    Setting("sort.carry_metadata", "bool", False,
            "Whether metadata that only trashed images have (date, place, rating, label, title, caption, keywords) is "
            "added to the XMP sidecar of the kept image, which is created if needed. No picture is changed."),
    Setting("sort.retention", "int", 30,
            "Days for which a file in the trash is kept when the trash is emptied, by the clock and by the time the "
            "machine was on. It is never emptied automatically.",
            minimum=0, maximum=36500),
    Setting("compress.quality", "int", 100,
            "Quality of the result. At 100, if the size stays, no pixel changes: the compression is lossless.",
            minimum=1, maximum=100, live=True),
    Setting("compress.target", "str", "",
            "How similar the result must look to its source, on the scale of SSIMULACRA 2 (90, 70, 50); the lowest "
            "sufficient quality is searched for. Empty: the quality above.",
            Message("accepted.target"), choices=("", "visually-lossless", "high", "medium"), live=True),
    Setting("compress.resolution", "str", "", "Larger pictures are scaled down to fit. Empty: they keep their size.",
            Message("accepted.resolution"), shape=_is_resolution, live=True),
    Setting("compress.keep_ratio", "bool", True, "Whether width and height keep their ratio.", live=True),
    Setting("compress.enlarge", "bool", False, "Whether smaller pictures are scaled up to fit, too.", live=True),
    Setting("compress.format", "str", "", "The format to convert pictures to; empty: they keep their format.",
            Message("accepted.compress_format"), choices=("", "jpeg", "webp", "avif"), live=True),
    Setting("compress.baseline", "bool", False,
            "Whether JPEGs are written as baseline, for devices and programs that cannot show progressive ones. They "
            "are a few percent larger. At quality 100, JPEGs keep the coding they have.", live=True),
    Setting("compress.strip", "bool", False,
            "Whether metadata is removed. Colours and orientation are kept in any case.", live=True),
    Setting("compress.colours", "int", 0, "The number of colours to which PNGs are reduced; 0: they keep all.",
            Message("accepted.colours"), minimum=0, maximum=256, shape=lambda number: number != 1, live=True),
    Setting("compress.least_gain", "float", 3.0,
            "The minimum savings, in percent, for a result to be kept.", minimum=0, maximum=99, live=True),
    Setting("compress.size_threshold_mb", "float", 1.0, "Files smaller than this, in megabytes, are skipped.",
            minimum=0, maximum=100000, live=True),
    Setting("compress.modify_source", "bool", False,
            "Whether the smaller file replaces its source, which goes to the trash; otherwise it is written next to "
            "it with _resize in its name.", live=True),
    Setting("compress.delete_source", "bool", False, "Whether the source goes to the trash afterwards.", live=True),
    Setting("compress.recursive", "bool", True, "Whether subfolders are compressed, too.", live=True),
    _schedule("compress", "compression runs"),
    Setting("web.host", "str", "127.0.0.1",
            "The address the page listens on. Any address but the loopback needs a token.",
            Message("accepted.host"), shape=lambda text: text.isprintable() and bool(re.fullmatch(r"[^\s/]+", text))),
    Setting("web.port", "int", 5000, "The port it listens on; 0: any free port.", minimum=0, maximum=65535),
    Setting("web.token", "str", "",
            "The token that a browser or program must send. Empty: none on the loopback; on any other address, one is "
            "generated at the first start, and comparimg-ctl token shows it.",
            Message("accepted.token"), shape=_is_token, secret=True),
    Setting("web.language", "str", "", "The language of the page; empty: the browser's.",
            Message("accepted.language"), choices=("", "en", "fr")),
    Setting("web.names", "list", (), "Additional host names of the page, for example behind a proxy.",
            Message("accepted.host_names"), shape=all),
    Setting("web.auth_header", "str", "",
            "The header in which a proxy names the user who has signed in there, Remote-User for example "
            "(docs/security.md). A request with it, from an address in auth_proxies, counts as one with the token. If "
            "it is set, the page always requires a token. Empty: no header is trusted.",
            Message("accepted.auth_header"), shape=_is_user_header),
    Setting("web.auth_proxies", "list", (),
            "The addresses or networks of the proxies from which auth_header is trusted; from others it is ignored. A "
            "program at one of them can claim to be any user.",
            Message("accepted.networks"), shape=_are_networks),
    Setting("web.browse", "list", (),
            "The folders that the page offers for watching, with their subfolders. Empty: your home and the "
            "mounted disks. If set, no folder outside them can be added on the page.",
            Message("accepted.folders"), shape=lambda folders: all(map(_is_folder, folders))),
    Setting("workers.listen", "str", "",
            "The address for other machines that were invited to lend their processors (docs/workers.md). Empty: "
            "nothing listens.", Message("accepted.tls_address"), shape=_is_tls_address),
    Setting("workers.lend", "list", ("verify", "describe", "embed"),
            "Their tasks: compare two pictures, describe local features, run the model. Only previews are sent, no "
            "files.",
            choices=("verify", "describe", "embed")),
    Setting("notify.command", "list", (),
            "A program that is run for each notification, as JSON on its standard input, with its arguments; empty: "
            "none.",
            Message("accepted.command"), shape=all, secret=True),
    Setting("notify.webhook", "str", "", "An address to which each notification is sent; empty: none.",
            Message("accepted.webhook"), shape=_is_webhook, secret=True),
    Setting("notify.webhook_format", "str", "json",
            "The form of what is sent: all data (json), one sentence, as ntfy shows it (text), or a message of the "
            "Apprise API (apprise).", choices=("json", "text", "apprise")),
    Setting("notify.events", "list", ("groups", "jobs", "problems", "roots", "rules"),
            "What is reported: new groups, jobs that ended, files that could not be read, folders that go offline, "
            "decisions of a named rule after a search.",
            choices=("groups", "jobs", "problems", "roots", "rules")),
    Setting("notify.interval_min", "float", 60.0,
            "The minimum number of minutes between two notifications; events in between are reported together. Failed "
            "jobs and offline folders wait at most five minutes.", minimum=1, maximum=10080),
)  # fmt: skip

BY_KEY: Final[Mapping[str, Setting]] = {definition.key: definition for definition in SETTINGS}
LIVE: Final[tuple[Setting, ...]] = tuple(definition for definition in SETTINGS if definition.live)
