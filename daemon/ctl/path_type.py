"""The type of arguments and options that are paths."""

import os
from pathlib import Path
from typing import Any, Final

import click

from index.errors import UsageError


class PathType(click.Path):
    """A path that is not empty. An empty one, from a variable without a value in a script, would otherwise mean the
    current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not os.fspath(value):
            raise UsageError("ctl.empty_path")
        return super().convert(value, param, ctx)


PATH: Final = PathType(path_type=Path)
