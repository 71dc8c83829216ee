"""PURE: the names, folders and times of two files -> what speaks for the second being the copy.

None of it proves anything: a backup resets times, a person renames. It is worth what the weights of `model` say.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from index.imaging.decoding.capture_date import is_plausible, is_plausible_file_time
from index.imaging.thresholds import threshold


@dataclass(frozen=True, slots=True)
class FileSignLimits:
    """When times say something."""

    same_time_s: float = threshold(120.0, "seconds", "Copying and unpacking move times by as much.")
    capture_s: float = threshold(120.0, "seconds", "Between the clock of a camera and the time of its file.")
    zone_s: float = threshold(900.0, "seconds", "Time zones differ by multiples of a quarter of an hour.")
    most_zone_s: float = threshold(50_400.0, "seconds", "And by fourteen hours at most.")


SIGN: Final = FileSignLimits()

# All that a name, a folder or a time can say.
NAMES_AND_TIMES: Final = frozenset(
    "name_of_copy name_of_messenger name_of_camera name_longer later time_of_capture deeper folder_of_copies".split()
)

# What programs and file managers add to the name of a copy, in the languages that they are used in most.
COPY_MARKS: Final = re.compile(
    r"(\bcop(y|ie|ia|ias|ier)\b|\bkopie\b|\bkopi\b|\bkopio\b|\bkopia\b|\bc\u00f3pia\b|\u590d\u5236|\u526f\u672c|\u30b3\u30d4\u30fc|\u043a\u043e\u043f\u0438\u044f"
    r"|\(\d{1,3}\)$|~\d{1,2}$|\[\d{1,2}\]$"
    r"|[-_ ](edit(ed)?|bearbeitet|modifi[e\u00e9]e?|editad[oa]|modificato|effects|animation|collage|mix|cover"
    r"|resiz(e|ed)|scaled|small|thumb(nail)?|web|crop(ped)?|rot(ated)?|sharp|bw|final|export(ed)?"
    r"|compressed|optimi[sz]ed|min"
    r"|low|lowres|preview|hdr|enhanced|upscal\w*|upscayl\w*|\d+x|x\d|restored|retouch(ed)?|fixed|straight|stamp"
    r"|\d{3,4}px|\d{2,4}x\d{2,4})\)?$|^resized[-_ ])",
    re.IGNORECASE,
)
MESSENGERS: Final = re.compile(
    r"^(img|vid)-\d{8}-wa\d+|^whatsapp image|^signal-\d{4}|^photo_\d+_\d{4}|^photo_\d{4}-\d{2}-\d{2}"
    r"|^fb_img_|^received_\d+"
    r"|^screenshot|^screen shot|^bildschirmfoto|^capture d.[e\u00e9]cran|^captura|^snapchat-|^insta|^viber_"
    r"|^line_\d+|^unnamed"
    r"|^image\d{3}$"
    r"|^\d+_\d+_\d+_[no]$|^mmexport\d+|^download",
    re.IGNORECASE,
)
CAMERAS: Final = re.compile(
    r"^(_?dsc[fn_]?\d{3,}|_?img_?\d{4}\b|_?mg_\d{4}|dscn?\d{4}|p\d{7}|pict?\d{4}|imgp\d{4}|r\d{7}|gopr\d{4}|dji_\d{4}"
    r"|pxl_\d{8}_\d{6}"
    r"|img_\d{8}_\d{6}|\d{8}_\d{6}|sam_\d{4}|cimg\d{4}|hpim\d{4}|100_\d{4}|l\d{7}|_dsf\d+|\d{3}_\d{4})",
    re.IGNORECASE,
)
COPY_FOLDERS: Final = re.compile(
    r"^(edit(s|ed)?|export(s|ed)?|thumb(nail)?s?|\.?thumbnails|whatsapp.*|sent|resized|web|small|inbox|received"
    r"|screenshots?|downloads?"
    r"|telegram.*|signal|messenger|facebook|instagram|cache|temp|tmp|copies|kopien|copie[s]?|upscal.*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class FileSeen:
    """`taken` is the plausible date of the capture in ISO 8601, "" if there is none."""

    path: bytes
    mtime_ns: int
    taken: str = ""


class PathSigns(NamedTuple):
    """What the path of a file shows on its own."""

    stem: str
    copy_mark: bool
    messenger: bool
    camera: bool
    depth: int
    in_copies: bool


# A group asks for the same path as often as it has pairs, and a list is shown, previewed and decided one after another.
@lru_cache(maxsize=4096)
def path_signs(path: bytes) -> PathSigns:
    """What a path shows on its own."""
    stem = stem_of(path)
    return PathSigns(
        stem,
        bool(COPY_MARKS.search(stem)),
        bool(MESSENGERS.search(stem)),
        bool(CAMERAS.search(stem)),
        path.count(b"/"),
        _is_in_copies(path),
    )


def file_signs(original: FileSeen, copy: FileSeen) -> dict[str, float]:
    """What speaks for `copy` being a copy of `original`: names of signs with their strength above 0."""
    one, other = path_signs(original.path), path_signs(copy.path)
    seconds = (copy.mtime_ns - original.mtime_ns) / 1e9
    timed = is_plausible_file_time(original.mtime_ns) and is_plausible_file_time(copy.mtime_ns)
    found = {
        "name_of_copy": other.copy_mark and not one.copy_mark,
        "name_of_messenger": other.messenger and not one.messenger,
        "name_of_camera": one.camera and not other.camera,
        "name_longer": len(other.stem) > len(one.stem) >= 3 and one.stem.lower() in other.stem.lower(),
        "later": timed and seconds > SIGN.same_time_s,
        "time_of_capture": _is_time_of_capture(original) and not _is_time_of_capture(copy),
        "deeper": other.depth > one.depth,
        "folder_of_copies": other.in_copies and not one.in_copies,
    }
    return {name: 1.0 for name, shown in found.items() if shown}


@lru_cache(maxsize=4096)
def _is_time_of_capture(file: FileSeen) -> bool:
    """Whether the file's time is that of its capture, in whatever time zone."""
    taken_s = _moment(file.taken)
    if taken_s is None:
        return False
    away = abs(file.mtime_ns / 1e9 - taken_s)
    beside = away % SIGN.zone_s
    return away <= SIGN.most_zone_s + SIGN.capture_s and min(beside, SIGN.zone_s - beside) <= SIGN.capture_s


@lru_cache(maxsize=4096)
def _moment(taken: str) -> float | None:
    """A plausible date as seconds since 1970, in UTC where it names no zone."""
    if not is_plausible(taken):
        return None
    when = datetime.fromisoformat(taken)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def stem_of(path: bytes) -> str:
    """The name of a file without its ending, as text."""
    name = path.rpartition(b"/")[2].decode("utf-8", "replace")
    return name.rpartition(".")[0] or name


def _is_in_copies(path: bytes) -> bool:
    folders: Iterable[str] = path.decode("utf-8", "replace").split("/")[:-1][-2:]
    return any(COPY_FOLDERS.search(folder) for folder in folders)
