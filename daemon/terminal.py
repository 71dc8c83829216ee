"""Prints the output of commands: tables and figures for people, JSON for scripts, a progress bar on a terminal."""

import contextlib
import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click
from tqdm import tqdm

from daemon.console_language import console_language
from index.messages import LANGUAGES, Message, catalogue, render

# Without a terminal, a progress line is printed at most this often.
LINE_EVERY_S = 10.0
# The spaces of French punctuation, which Python does not count as printable.
SPACES = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"


def print_json(value: Any) -> None:
    """Print ASCII, so that bytes of a path that are not UTF-8 are preserved."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=True))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns as wide as their longest cell, or "none" if there are no rows. Headings are given in English."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    if not texts:
        say(Message("console.none"))
        return
    titles = [sentence(Message(f"heading.{name.replace(' ', '_')}")) if name else "" for name in headings]
    widths = [max(map(len, column)) for column in zip(titles, *texts, strict=True)]
    for row in (titles, *texts):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def in_words(message: Message | None) -> str:
    """A message in the language of the console, "" for none."""
    return "" if message is None else render(message, console_language())


def sentence(message: Message | None) -> str:
    """A message in the language of the console, on one line that any terminal can show; "" for none."""
    return printable(in_words(message))


def say(message: Message, to_stderr: bool = False) -> None:
    """Print a message on one line."""
    click.echo(sentence(message), err=to_stderr)


def word(value: object) -> str:
    """The console's name for a state, kind or choice. A value without a name is returned as it is."""
    return _named(Message(f"word.{value}"), str(value))


def figure(name: str) -> str:
    """The console's name for a figure in the outcome of a job."""
    return _named(Message(f"outcome.{name}"), name.replace("_", " "))


def _named(message: Message, otherwise: str) -> str:
    return sentence(message) if message.code in catalogue(LANGUAGES[0]) else otherwise


def printable(text: str) -> str:
    """A text on one line that any terminal can show."""
    shown = text
    # A lone surrogate that does not represent a byte is replaced below, like any character that cannot be printed.
    with contextlib.suppress(UnicodeEncodeError):
        shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(
        letter
        if _is_shown(letter, shown[place - 1 : place], shown[place + 1 : place + 2])
        else "\N{REPLACEMENT CHARACTER}"
        for place, letter in enumerate(shown)
    )


def _is_shown(letter: str, before: str, after: str) -> bool:
    """Whether a terminal can show a character as it is. The joiner inside an emoji is part of it."""
    if letter == "\N{ZERO WIDTH JOINER}":
        joined = unicodedata.category(before or " "), unicodedata.category(after or " ")
        return (joined[0] in ("So", "Sk") or before == "\N{VARIATION SELECTOR-16}") and joined[1] == "So"
    return letter.isprintable() or letter in SPACES


def printable_path(path: bytes) -> str:
    """A path on one line that any terminal can show."""
    return printable(os.fsdecode(path))


def bytes_in_words(count: float) -> str:
    """A number of bytes in a suitable unit, in the language of the console, with up to three digits."""
    is_french = console_language() == "fr"
    units = ("octets", "ko", "Mo", "Go", "To") if is_french else ("bytes", "kB", "MB", "GB", "TB")
    place = 0
    while count >= 1000 and place < len(units) - 1:
        count /= 1000
        place += 1
    number = f"{count:.0f}" if place == 0 or (count >= 100 and place < len(units) - 1) else f"{count:.1f}"
    return f"{number.replace('.', ',')}\N{NO-BREAK SPACE}{units[place]}" if is_french else f"{number} {units[place]}"


def duration_in_words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Bar:
    """The progress of work in this process: a bar on a terminal, a line at intervals elsewhere, nothing if `quiet`."""

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
                desc=in_words(Message(f"phase.{phase}")),
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
        """Do nothing: a command in the foreground is stopped by a signal only."""

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
