"""PURE: determines the capture date from EXIF, IPTC, the clock of a GPS receiver, or the name of a file.

A date is ISO 8601 without a zone. The zone is separate: "+02:00", or "" if it is unknown.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

# There were no photographs before. A later year means that a clock is wrong, or that the number is no date.
FIRST_YEAR, LAST_YEAR = 1826, 2100
# Kodak sold the first digital cameras in 1991. Clocks without a battery begin in 1970 or 1980.
FIRST_DIGITAL_YEAR: Final = 1990
RESET_DAYS: Final = frozenset(((1, 1),))
QUARTER_OF_AN_HOUR_S, MOST_ZONE_S, MINUTE_S = 900, 50_400, 60
UTC_ZONE: Final = "+00:00"
# Tags of EXIF, and of its GPS block.
OFFSET_TIME_ORIGINAL: Final = 0x9011
OFFSET_TIME_DIGITIZED: Final = 0x9012
OFFSET_TIME: Final = 0x9010
DATE_TIME_ORIGINAL: Final = 0x9003
DATE_TIME_DIGITIZED: Final = 0x9004
DATE_TIME: Final = 0x0132
GPS_DATE: Final = 0x001D
GPS_TIME: Final = 0x0007

_ISO: Final = re.compile(
    r"(\d{4})[-:/](\d\d)[-:/](\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?"
)
# IMG_20190714_103102, PXL_20240407_152207242, 2019-07-14 10.31.02, "WhatsApp Image 2019-07-14 at 10.31.02".
_NAMED: Final = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<between>[-_.]?)(?P<month>\d\d)(?P=between)(?P<day>\d\d)"
    r"(?:(?:[-_. T]| at )(?P<hour>\d\d)(?P<apart>[-_.:]?)(?P<minute>\d\d)(?P=apart)(?P<second>\d\d)(?:\d{1,3})?)?(?!\d)"
)
# Pixel telephones name files by UTC time.
_NAMED_IN_UTC: Final = "PXL_"


def date_and_zone(text: str) -> tuple[str, str]:
    """The date and the zone in a text of XMP or EXIF; ("", "") if there is no complete date."""
    match = _ISO.match(text.strip())
    if match is None:
        return "", ""
    year, month, day, hour, minute, second, zone = match.groups()
    taken = _iso(year, month, day, hour or "0", minute or "0", second or "0")
    return (taken, zone_of(zone or "")) if taken else ("", "")


def zone_of(text: str) -> str:
    """A zone as "+02:00"; "" if it is none, or further from Greenwich than any real zone."""
    if text == "Z":
        return UTC_ZONE
    match = re.fullmatch(r"([+-])(\d\d):?(\d\d)", text.strip("\0 "))
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        return ""
    return f"{match[1]}{match[2]}:{match[3]}"


def of_exif(detail: Mapping[int, Any]) -> tuple[str, str]:
    """The date of DateTimeOriginal, and the zone of OffsetTimeOriginal or OffsetTime."""
    offsets = (detail.get(OFFSET_TIME_ORIGINAL), detail.get(OFFSET_TIME))
    zone = next(filter(None, (zone_of(offset) for offset in offsets if isinstance(offset, str))), "")
    taken = _exif_date(detail.get(DATE_TIME_ORIGINAL))
    return (taken, zone) if taken else ("", "")


def of_exif_later(main: Mapping[int, Any], detail: Mapping[int, Any]) -> tuple[str, str]:
    """The date of digitising or, if it is missing, of the last change, which EXIF has for every picture."""
    named = ((DATE_TIME_DIGITIZED, OFFSET_TIME_DIGITIZED, detail),
             (DATE_TIME, OFFSET_TIME, main))  # fmt: skip
    for date, offset, block in named:
        if taken := _exif_date(block.get(date)):
            zone = detail.get(offset)
            return taken, zone_of(zone) if isinstance(zone, str) else ""
    return "", ""


def of_gps(gps: Mapping[int, Any]) -> tuple[str, str]:
    """GPSDateStamp with GPSTimeStamp, in UTC. Both are needed."""
    stamp, clock = gps.get(GPS_DATE), gps.get(GPS_TIME)
    if not isinstance(stamp, str) or not isinstance(clock, tuple) or len(clock) != 3:
        return "", ""
    try:
        hour, minute, second = (int(float(part)) for part in clock)
    except (ValueError, OverflowError, ZeroDivisionError, TypeError):
        return "", ""
    taken, _ = date_and_zone(f"{stamp[:10]} {hour:02}:{minute:02}:{second:02}")
    return (taken, UTC_ZONE) if taken else ("", "")


def of_iptc(date: str, clock: str) -> tuple[str, str]:
    """Date Created (2:55, CCYYMMDD) with Time Created (2:60, HHMMSS±HHMM)."""
    if not re.fullmatch(r"\d{8}", date):
        return "", ""
    match = re.fullmatch(r"(\d\d)(\d\d)(\d\d)([+-]\d{4})?", clock)
    hour, minute, second, zone = match.groups() if match else ("0", "0", "0", "")
    taken = _iso(date[:4], date[4:6], date[6:], hour, minute, second)
    return (taken, zone_of(zone or "")) if taken else ("", "")


def of_timestamp(seconds: int) -> tuple[str, str]:
    """The date and zone of a number of seconds since 1970, in UTC."""
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return "", ""
    return (f"{when:%Y-%m-%dT%H:%M:%S}", UTC_ZONE) if FIRST_YEAR <= when.year <= LAST_YEAR else ("", "")


def of_name(name: bytes) -> tuple[str, str]:
    """The date that telephones, cameras and programs put into a file name; midnight if the name has no time."""
    if b"19" not in name and b"20" not in name:
        # A quick check, which most names of cameras fail: the expression takes twenty times as long.
        return "", ""
    text = name.decode("utf-8", "replace")
    for match in _NAMED.finditer(text):
        part = match.groupdict(default="0")
        taken = _iso(*(part[name] for name in ("year", "month", "day", "hour", "minute", "second")))
        if taken and int(part["year"]) >= FIRST_DIGITAL_YEAR:
            return taken, UTC_ZONE if text.startswith(_NAMED_IN_UTC) else ""
    return "", ""


@lru_cache(maxsize=4096)
def is_plausible(taken: str, latest_year: int = 2100) -> bool:
    """Whether a date can be that of a capture. It must not be before digital photography, nor come from a clock that
    was reset, which starts in the first minute of a year."""
    if not taken:
        return False
    try:
        when = datetime.fromisoformat(taken)
    except ValueError:
        return False
    if not FIRST_DIGITAL_YEAR <= when.year < latest_year:
        return False
    return not ((when.month, when.day) in RESET_DAYS and when.hour == 0 and when.minute == 0)


@lru_cache(maxsize=4096)
def is_plausible_file_time(mtime_ns: int) -> bool:
    """Whether a file's time, in nanoseconds since 1970, says when it was written. Archives and copies without a time
    leave 1970 or 1980, and a clock that was reset the first minute of a year, in whatever zone it ran: zones differ by
    quarters of an hour."""
    seconds = mtime_ns // 10**9
    try:
        year = datetime.fromtimestamp(seconds, UTC).year
    except (OverflowError, OSError, ValueError):
        return False
    if not FIRST_DIGITAL_YEAR <= year < LAST_YEAR:
        return False
    since = (seconds - int(datetime(start, 1, 1, tzinfo=UTC).timestamp()) for start in (year, year + 1))
    return not any(abs(s) < MOST_ZONE_S + MINUTE_S and s % QUARTER_OF_AN_HOUR_S < MINUTE_S for s in since)


def _exif_date(value: object) -> str:
    return date_and_zone(value)[0] if isinstance(value, str) else ""


def _iso(*parts: str) -> str:
    """The parts as an ISO date, "" if there is no such date."""
    try:
        year, month, day, hour, minute, second = map(int, parts)
        when = datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 - its zone stands beside it
    except ValueError:
        return ""
    return when.isoformat() if FIRST_YEAR <= year <= LAST_YEAR else ""
