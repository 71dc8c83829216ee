"""PURE: cursors: opaque strings by which a page of a list says where the next page begins."""

import base64
import binascii
import json
from typing import Any

from webui.http_errors import HttpError

Place = tuple[Any, ...]


def encode_cursor(order: str, place: Place | None) -> str | None:
    """A cursor for the sort key after which a list continues. `order` names the list and its order."""
    if place is None:
        return None
    plain = [value.hex() if isinstance(value, bytes) else value for value in place]
    return base64.urlsafe_b64encode(json.dumps([order, *plain]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, order: str, kinds: tuple[type, ...]) -> Place | None:
    """The sort key in a cursor that was made for this `order`, with values of these types. Raises HttpError for any
    other."""
    if not cursor:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        made_for, *place = values
        if made_for == order and len(place) == len(kinds):
            return tuple(map(_value, place, kinds))
    except (binascii.Error, ValueError, TypeError):
        pass
    raise HttpError(400, "bad_request", "rest.unknown_cursor", field="cursor")


def _value(value: Any, kind: type) -> Any:
    if kind is bytes:
        return bytes.fromhex(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(value)
    return value
