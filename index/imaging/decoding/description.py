"""PURE: combines the descriptions of a picture: in its file, in the files next to it, and in its name."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from index.imaging.decoding import capture_date
from index.imaging.decoding.takeout import read_takeout
from index.imaging.decoding.xmp_properties import read_xmp, words
from index.imaging.discovery.companions import TAKEOUT_ENDING
from index.model import DateSource, Description


def read_sidecar(name: bytes, data: bytes) -> Description:
    """The description in a sidecar with this name."""
    return read_takeout(data) if name.lower().endswith(TAKEOUT_ENDING) else read_xmp(data, DateSource.SIDECAR)


def merged_descriptions(*descriptions: Description) -> Description:
    """All descriptions combined: for single values the first that is present, for keywords all of them."""

    def first(name: str) -> Any:
        values = [getattr(each, name) for each in descriptions]
        return next((value for value in values if value), getattr(Description(), name))

    located = next((each.location for each in descriptions if any(each.location)), Description().location)
    found = Description(
        **{name: first(name) for name in ("place", "rating", "label", "title", "caption")},
        location=located,
        keywords=words(word for each in descriptions for word in each.keywords),
        hierarchies=words(path for each in descriptions for path in each.hierarchies),
    )
    return dated_like(found, best_dated(descriptions))


def combined_description(own: Description, beside: Description, name: bytes = b"") -> Description:
    """The combined description of a picture's file, its sidecars and its name. What people write is taken from the
    sidecars first; where and when it was taken, from the file first. The name is used last, for the date only."""
    written = own if beside == Description() else merged_descriptions(beside, own)
    return replace(dated_like(written, dated(own, beside, name)), place=own.place or beside.place)


def dated(own: Description, beside: Description, name: bytes) -> Description:
    """The description with the capture date: that of the file, or of its sidecars, or one from its name."""
    if capture_date.is_plausible(own.taken):
        return own
    taken, zone = capture_date.of_name(name)
    named = Description(taken=taken, zone=zone, dated_by=DateSource.NAME if taken else "")
    return best_dated((own, beside, named))


def kinds_written(own: Description, sidecars: Description) -> int:
    """How many kinds of descriptions a person wrote, in the file or next to it: 0 to 6."""
    nothing = Description()
    kinds = ("rating", "label", "title", "caption", "location")
    written = sum(any(getattr(each, kind) != getattr(nothing, kind) for each in (own, sidecars)) for kind in kinds)
    return written + any(each.keywords or each.hierarchies for each in (own, sidecars))


def missing_from(keeper: Description, other: Description) -> Description:
    """What the other description has and the keeper lacks, including each missing keyword. A date in the other's name
    does not count: it is not worth writing down."""
    is_dated = bool(other.taken) and (not keeper.taken or keeper.dated_by == DateSource.NAME)
    said = {name: getattr(other, name) for name in ("place", "rating", "label", "title", "caption")
            if getattr(other, name) and not getattr(keeper, name)}  # fmt: skip
    if is_dated and other.dated_by != DateSource.NAME:
        said |= {"taken": other.taken, "zone": other.zone, "dated_by": other.dated_by}
    if any(other.location) and not any(keeper.location):
        said["location"] = other.location
    return Description(
        **said,
        keywords=tuple(word for word in other.keywords if word not in keeper.keywords),
        hierarchies=tuple(path for path in other.hierarchies if path not in keeper.hierarchies),
    )


def best_dated(descriptions: Iterable[Description]) -> Description:
    """The first description with a plausible capture date, or else the first with any date."""
    with_date = [each for each in descriptions if each.taken]
    plausible = (each for each in with_date if capture_date.is_plausible(each.taken))
    return next(plausible, next(iter(with_date), Description()))


def dated_like(description: Description, other: Description) -> Description:
    return replace(description, taken=other.taken, zone=other.zone, dated_by=other.dated_by)
