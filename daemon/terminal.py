"""What a command prints: tables and figures for people, JSON for scripts, a progress bar where a terminal is."""

import contextlib
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
from tqdm import tqdm

# A quiet line instead of a bar is printed at most this often.
LINE_EVERY_S = 10.0


def print_json(value: Any) -> None:
    """ASCII, so that bytes of a path that are no UTF-8 survive."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=True))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as they need be; nothing but a word where there are no rows."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    if not texts:
        click.echo("none")
        return
    widths = [max(map(len, column)) for column in zip(headings, *texts, strict=True)]
    for row in (headings, *texts):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def printable(text: str) -> str:
    """A text that any terminal shows on one line."""
    shown = text
    # Not where a lone surrogate stands for no byte: it is shown as any other letter that cannot be.
    with contextlib.suppress(UnicodeEncodeError):
        shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown)


def bytes_in_words(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def counted(number: int, one: str, many: str = "") -> str:
    """ "1 group", "3 groups"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def duration_in_words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Bar:
    """The progress of work in this process: a bar on a terminal, quiet lines elsewhere, nothing when `quiet`."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._bar: Any = None

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        self.end()
        if not self._quiet:
            self._bar = tqdm(
                total=total,
                initial=done,
                desc=phase,
                unit="",
                leave=False,
                file=sys.stderr,
                mininterval=0.2 if self._terminal else LINE_EVERY_S,
                dynamic_ncols=True,
                delay=0.0 if self._terminal else LINE_EVERY_S,
            )

    def advance(self, steps: int = 1) -> None:
        if self._bar is not None:
            self._bar.update(steps)

    def checkpoint(self) -> None:
        """Nothing can ask a command in the foreground to leave off but a signal."""

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
