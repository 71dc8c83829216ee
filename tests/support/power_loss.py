"""A power loss before one of the renames that a program makes in this process."""

import os
from collections.abc import Callable

import pytest


def cut_off_renames(patched: pytest.MonkeyPatch, step: int) -> None:
    """Let so many renames happen; the next raises KeyboardInterrupt, and so does each after it."""
    calls = 0

    def cut_off(name: str) -> Callable[..., None]:
        real = getattr(os, name)

        def renaming(*paths: object) -> None:
            nonlocal calls
            calls += 1
            if calls > step:
                raise KeyboardInterrupt
            real(*paths)

        return renaming

    for name in ("rename", "replace"):
        patched.setattr(os, name, cut_off(name))
