"""`comparimg-ctl`: one program for people and scripts.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 no daemon running. Every command that answers takes
--json. What a command needs is imported when it runs, so that --help is instant.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import click

from daemon.version import VERSION
from index.errors import ComparImgError, ConfigError, NoDaemon, UsageError

# Letters of an error; an argument that stands in it may be of any length.
LONGEST_LINE = 500
SECTIONS = (
    ("On folders, without a daemon", ("detect", "explain", "compress")),
    ("What there is", ("status", "groups", "group", "calibration", "problems", "verdicts")),
    ("What to do", ("scan", "run", "jobs", "job", "cancel", "not-duplicates", "revoke")),
    ("Deciding and sorting", ("decide", "rules", "sort", "batches", "batch", "undo", "trash")),
    ("How it is set up", ("doctor", "disks", "service", "index", "schedule", "config", "token", "notify-test")),
)


class Sectioned(click.Group):
    """A group whose help lists its commands by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, names in SECTIONS:
            rows = [(name, command.get_short_help_str(80)) for name in names if (command := self.commands.get(name))]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


@click.group(cls=Sectioned, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="comparimg-ctl")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The configuration file.")
@click.option("--address", help="Where the daemon is; by default where the configuration puts it.")
@click.pass_context
def program(context: click.Context, config_file: Path | None, address: str | None) -> None:
    """Find duplicate images, and ask a running ComparImg."""
    context.obj = {"config": config_file, "address": address}


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit with its code."""
    from daemon.ctl import calibration, compress, copies, detect, disks, doctor, remote, service, setup, sorting

    for module in (calibration, compress, copies, detect, disks, doctor, remote, service, setup, sorting):
        module.register(program)
    sys.exit(run(arguments))


def run(arguments: list[str] | None) -> int:
    """The only place where an error becomes words and an exit code."""
    try:
        result: Any = program.main(arguments, prog_name="comparimg-ctl", standalone_mode=False)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"See {context.command_path} --help." if context is not None else ""
        return _say([error.format_message()], hint, error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 1
    except ComparImgError as error:
        code = 3 if isinstance(error, NoDaemon) else 2 if isinstance(error, UsageError | ConfigError) else 1
        lines = error.message.splitlines() if isinstance(error, ConfigError) else [error.message]
        return _say(lines, error.hint, code)
    except BrokenPipeError:
        # Whoever read us has enough, as `head` does.
        sys.stderr.close()
        return 0
    except OSError as error:
        # A file that cannot be used, or a name that no file can have.
        about = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return _say([f"{about}{error.strerror or error}."], "", 2 if error.errno == errno.ENAMETOOLONG else 1)
    except UnicodeEncodeError:
        return _say(["An argument is no text."], "", 2)
    return result if isinstance(result, int) else 0


def _say(lines: list[str], hint: str, code: int) -> int:
    """Tell an error, with what to do about it in a line of its own, whatever stands in them; gives the exit code."""
    from daemon.terminal import printable

    for number, line in enumerate([*lines, *([f"  {hint}"] if hint else [])]):
        told = line if number else f"comparimg-ctl: {' '.join(line.split())}"
        if len(told) > LONGEST_LINE:
            told = f"{told[: LONGEST_LINE // 2]}...{told[-LONGEST_LINE // 2 :]}"
        click.echo(printable(told), err=True)
    return code
