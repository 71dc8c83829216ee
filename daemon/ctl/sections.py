"""The commands of comparimg-ctl, grouped by purpose, in the order of the help."""

from collections.abc import Iterator
from typing import Final

import click

from daemon.console_language import console_language
from daemon.help_language import translated

SECTIONS: Final = (
    ("Without a service, on folders", ("detect", "explain", "compress", "model")),
    ("Viewing", ("status", "groups", "group", "duplicates", "calibration", "problems", "verdicts")),
    ("Searching and jobs", ("scan", "searches", "run", "jobs", "job", "cancel", "not-duplicates", "revoke")),
    ("Deciding and applying", ("decide", "accept", "clear", "rules", "sort", "batches", "batch", "undo", "trash")),
    (
        "Setting up",
        (
            "doctor",
            "roots",
            "destinations",
            "disks",
            "workers",
            "service",
            "index",
            "schedule",
            "config",
            "token",
            "notify-test",
        ),
    ),
    ("Shell", ("completion", "manual")),
)


class Sectioned(click.Group):
    """A group whose help lists its commands in sections."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, names in self.sections():
            with formatter.section(translated(console_language(), title)):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(80)) for name in names])

    def sections(self) -> Iterator[tuple[str, list[str]]]:
        """The titles of the sections, each with the names of its available commands."""
        for title, names in SECTIONS:
            if present := [name for name in names if name in self.commands]:
                yield title, present


def root_program(context: click.Context) -> Sectioned:
    """comparimg-ctl itself, for a command that runs."""
    program = context.find_root().command
    assert isinstance(program, Sectioned)
    return program
