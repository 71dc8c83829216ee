"""PURE: frozen dataclasses that processes send each other."""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

_values: Final[dict[type, Callable[[Any], tuple[Any, ...]]]] = {}


class Sent:
    """The base of a frozen dataclass with slots and at least two fields that is pickled often.

    Python looks up the fields of such a class for each object that it pickles or reads, which takes three times as long
    as the rest; here, an object is made again by its constructor.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        of = type(self)
        values = _values.get(of)
        if values is None:
            values = _values[of] = attrgetter(*(field.name for field in fields(of)))  # type: ignore[arg-type]
        return of, values(self)
