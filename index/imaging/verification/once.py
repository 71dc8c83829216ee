"""PURE: a function of one picture -> the same function, computed once for all pairs of the picture.

A picture is compared with several others, and much of that is computed of it alone. What was computed is kept as long
as the array of the picture exists, and no longer: a result must not refer to it. Used by one thread.
"""

import weakref
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value")
More = ParamSpec("More")

# By the address of an array, which no other has while it exists.
_kept: dict[int, tuple[weakref.ref[Any], dict[Hashable, Any]]] = {}


def once_a_picture(
    function: Callable[Concatenate[NDArray[Any], More], Value],
) -> Callable[Concatenate[NDArray[Any], More], Value]:
    """A function of an array, and of others that can be keys, that is computed once for each. Neither the array nor the
    result may be changed: the array is made read-only, and the result where it is one."""

    @wraps(function)
    def computed_once(picture: NDArray[Any], /, *args: More.args, **kwargs: More.kwargs) -> Value:
        place = id(picture)
        if place not in _kept:
            picture.flags.writeable = False
            _kept[place] = weakref.ref(picture, lambda _: _kept.pop(place, None)), {}
        results = _kept[place][1]
        key = (function, args, tuple(kwargs.items()))
        if key not in results:
            results[key] = result = function(picture, *args, **kwargs)
            if isinstance(result, np.ndarray):
                result.flags.writeable = False
        value: Value = results[key]
        return value

    return computed_once
