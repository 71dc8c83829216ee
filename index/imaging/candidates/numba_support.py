"""PURE: what the compiled searches share: numba's compiler, with code kept on disk, and two instructions.

Importing it raises ImportError or OSError where numba is missing or the system forbids code made at run time. What was
compiled with these is kept until the file that uses them changes: their meaning never does.
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
        except RuntimeError:  # Neither beside the code nor in the user's cache can anything be kept.
            return numba.njit(function, nogil=True, inline=inline)

    return decorate


@intrinsic  # type: ignore[untyped-decorator]
def popcount(context: Any, word: Any) -> Any:
    """The processor's population count; LLVM makes it AVX-512 VPOPCNTDQ or NEON CNT where there is one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def lowest(context: Any, word: Any) -> Any:
    """The place of the lowest bit that is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate
