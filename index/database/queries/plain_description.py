"""PURE: a description as plain data, for REST and the result file."""

from typing import Any

from index.model import Description


def plain(description: Description) -> dict[str, Any]:
    """All but the date itself, which is listed with the other facts."""
    place = description.place
    return {
        "zone": description.zone or None,
        "dated_by": description.dated_by or None,
        "place": None if place is None else {"latitude": round(place[0], 6), "longitude": round(place[1], 6)},
        "location": [name for name in description.location if name],
        "rating": description.rating,
        "label": description.label,
        "title": description.title,
        "caption": description.caption,
        "keywords": list(description.keywords),
        "hierarchies": list(description.hierarchies),
    }
