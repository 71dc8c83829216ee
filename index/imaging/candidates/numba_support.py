"""PURE: shared by the compiled searches: numba's compiler with a cache on disk, and two processor instructions.

Importing this module raises ImportError or OSError if numba is missing, or if the system forbids code generated at run
time. Compiled code is cached until the file that uses these functions changes, so their meaning must never change.
"""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic


def compiled(inline: str = "never") -> Callable[[Callable[..., Any]], Any]:
    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(function, cache=True, nogil=True, inline=inline)
        except RuntimeError:  # Neither the folder of the code nor the user's cache is writable.
            return numba.njit(function, nogil=True, inline=inline)

    return decorate


@intrinsic  # type: ignore[untyped-decorator]
def popcount(context: Any, word: Any) -> Any:
    """The number of bits that are set. LLVM uses AVX-512 VPOPCNTDQ or NEON CNT where available."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def lowest(context: Any, word: Any) -> Any:
    """The position of the lowest bit that is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate
