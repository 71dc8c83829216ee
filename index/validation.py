"""Why a value does not have its type, as a sentence that names the field and what it accepts.

The validation library (msgspec) reports only what was wrong, in English and with the names of Python's types.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import inspect

from index.errors import UsageError
from index.messages import Message, joined, text
from index.settings import display_value, suggestion

# A bound from here on is that of a column, and means nothing to people.
NO_BOUND: Final = 2**31
PLACE: Final = re.compile(r" - at `(?:key in )?\$\.?(.*)`$", re.DOTALL)
NAME: Final = re.compile(r"^Object (missing required|contains unknown) field `(.*?)`(?: - at `.*)?$", re.DOTALL)
LISTED: Final = re.compile(r"\^\(\(([\w|-]+)\)\(,")


class Problem(NamedTuple):
    """A sentence for people, the field of the request that it concerns ("" for the whole), and perhaps advice."""

    message: Message
    field: str
    hint: Message | None = None


def problem_of(error: msgspec.ValidationError, kind: Any) -> Problem:
    """The problem with a value that could not be converted to the type `kind`."""
    said = str(error)
    place = match[1] if (match := PLACE.search(said)) else ""
    if match := NAME.match(said):
        field = ".".join(filter(None, (place, match[2])))
        if match[1] == "missing required":
            return Problem(Message("value.missing", field=field), field)
        names = [field.encode_name for field in _fields(_at(kind, place))]
        return Problem(Message("rest.unknown_parameter", name=field), field, suggestion(match[2], names))
    if not place:
        return Problem(Message("value.no_object"), "")
    accepted = _accepted(_at(kind, place))
    if accepted is None:
        return Problem(Message("value.not_accepted", field=place), place)
    return Problem(Message("value.must_be", field=place, accepted=accepted), place)


def converted(given: Any, kind: Any, prefix: str = "") -> Any:
    """`given` as the type `kind`. Raises UsageError, with `prefix` before the name of the field."""
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        problem = problem_of(error, kind)
        field = ".".join(filter(None, (prefix, problem.field)))
        raise UsageError(problem.message, hint=problem.hint, field=field) from error


def _at(kind: Any, place: str) -> inspect.Type | None:
    """The type at a place such as `decisions[0].choice`; None if it has none."""
    found: inspect.Type | None = inspect.type_info(kind)
    for name, item in re.findall(r"([^.\[\]]+)|(\[[^\]]*\])", place):
        members = [_plain(member) for member in _members(found)]
        if item:
            inner = (getattr(member, "item_type", getattr(member, "value_type", None)) for member in members)
            found = next(filter(None, inner), None)
        else:
            fields = (field for member in members for field in _fields(member))
            found = next((field.type for field in fields if field.encode_name == name), None)
    return found


def _plain(kind: Any) -> Any:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return kind


def _members(kind: inspect.Type | None) -> Sequence[inspect.Type]:
    """The types of a union but null, or the type itself."""
    plain = _plain(kind)
    if isinstance(plain, inspect.UnionType):
        return [member for member in plain.types if not isinstance(_plain(member), inspect.NoneType)]
    return [] if kind is None else [kind]


def _fields(kind: Any) -> tuple[inspect.Field, ...]:
    plain = _plain(kind)
    return plain.fields if isinstance(plain, inspect.StructType) else ()


def _accepted(kind: inspect.Type | None) -> Message | None:
    """What a type accepts; None if there is no wording for it."""
    if isinstance(kind, inspect.Metadata) and kind.extra and "accepted" in kind.extra:
        accepted: Message = kind.extra["accepted"]
        return accepted
    described = [_accepted_by(member) for member in _members(kind)]
    found = [message for message in described if message is not None]
    return joined("join.or", found) if found and len(found) == len(described) else None


def _accepted_by(kind: inspect.Type) -> Message | None:
    if isinstance(kind, inspect.Metadata) and kind.extra and "accepted" in kind.extra:
        return _accepted(kind)
    match _plain(kind):
        case inspect.BoolType():
            return Message("accepted.bool")
        case inspect.IntType(ge=least, le=most):
            return _number(Message("accepted.int"), least, most)
        case inspect.FloatType(ge=least, le=most):
            return _number(Message("accepted.float"), least, most)
        case inspect.StrType(min_length=shortest, max_length=longest, pattern=pattern):
            return _text(shortest, longest, pattern)
        case inspect.LiteralType(values=values):
            return _choice([value if isinstance(value, str) and value else display_value(value) for value in values])
        case inspect.EnumType(cls=members):
            return _choice([str(member.value) for member in members])
        case inspect.CollectionType(min_length=shortest, max_length=longest):
            return _list(shortest, longest)
        case inspect.DictType() | inspect.StructType():
            return Message("accepted.object")
    return None


def _number(number: Message, least: float | None, most: float | None) -> Message:
    most = None if most is not None and most >= NO_BOUND else most
    if least is not None and most is not None:
        bounds = {"least": display_value(least), "most": display_value(most)}
        return Message("accepted.between", number=number, **bounds)
    if least is not None:
        return Message("accepted.at_least", number=number, least=display_value(least))
    return number if most is None else Message("accepted.at_most", number=number, most=display_value(most))


def _text(shortest: int | None, longest: int | None, pattern: str | None) -> Message | None:
    if pattern is not None:
        listed = LISTED.match(pattern)
        return Message("accepted.several", names=listed[1].replace("|", ", ")) if listed else None
    if longest is not None:
        return Message("accepted.short_text", n=longest)
    return Message("accepted.some_text") if shortest else Message("accepted.str")


def _choice(names: Sequence[str]) -> Message:
    *most, last = names
    return Message("accepted.choice", most=", ".join(most), last=last) if most else text(last)


def _list(shortest: int | None, longest: int | None) -> Message:
    if longest is not None:
        return Message("accepted.short_list", n=longest)
    return Message("accepted.some_list") if shortest else Message("accepted.any_list")
