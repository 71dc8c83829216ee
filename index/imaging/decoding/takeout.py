"""PURE: reads the description in the JSON file that Google Takeout writes next to a picture.

Its time is in UTC. Nothing in it is trusted: size, depth and types are checked, and no name in it is used as a path.
"""

import json
from typing import Any, Final

from index.imaging.decoding.capture_date import of_timestamp
from index.imaging.decoding.xmp_properties import lines, place_of
from index.model import DateSource, Description

MOST_BYTES: Final = 2**18
MOST_DIGITS: Final = 15


def read_takeout(data: bytes) -> Description:
    """The description in a file; empty if the file is not of this kind."""
    if len(data) > MOST_BYTES:
        return Description()
    try:
        described = json.loads(data)
    except (ValueError, RecursionError):
        return Description()
    if not isinstance(described, dict):
        return Description()
    taken, zone = _taken(described.get("photoTakenTime"))
    places = [_place(described.get(name)) for name in ("geoData", "geoDataExif")]
    caption = described.get("description")
    return Description(
        taken=taken,
        zone=zone,
        dated_by=DateSource.TAKEOUT if taken else "",
        place=next((place for place in places if place), None),
        caption=lines(caption[:MOST_BYTES]) if isinstance(caption, str) else "",
    )


def _taken(time: Any) -> tuple[str, str]:
    stamp = time.get("timestamp") if isinstance(time, dict) else None
    text = str(stamp) if isinstance(stamp, str | int) and not isinstance(stamp, bool) else ""
    is_number = text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) <= MOST_DIGITS
    return of_timestamp(int(text)) if is_number else ("", "")


def _place(place: Any) -> tuple[float, float] | None:
    if not isinstance(place, dict):
        return None
    north, east = place.get("latitude"), place.get("longitude")
    if not isinstance(north, int | float) or not isinstance(east, int | float):
        return None
    try:
        return place_of(float(north), float(east))
    except OverflowError:
        return None
