"""`comparimg-ctl`: the command line, for people and scripts.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 no daemon running. Every command with output takes
--json. The modules of a command are imported when it runs, so that --help is fast.
"""

import contextlib
import errno
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import click

from daemon.console_language import console_language
from daemon.ctl.path_type import PATH
from daemon.ctl.sections import Sectioned
from daemon.help_language import localize, set_language
from daemon.version import VERSION
from index import operating_system
from index.errors import ComparImgError, ConfigError, NoDaemon, UsageError
from index.messages import Message, of_os_error, render, text

# The longest line of an error, in characters. An argument quoted in it may have any length.
LONGEST_LINE = 500
# Blanks that become one space. The no-break space is not among them: French punctuation needs it.
BLANKS = re.compile("[ \t\r\n]+")
# Commands that change no existing file, and therefore run on macOS and Windows, too.
ON_ALL_SYSTEMS = frozenset({"detect", "explain", "compress", "completion", "manual"})


@click.group(cls=Sectioned, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="comparimg-ctl")
@click.option("--config", "config_file", type=PATH, help="The configuration file.")
@click.option("--address", help="The address of the service. [from the configuration]")
@click.pass_context
def program(context: click.Context, config_file: Path | None, address: str | None) -> None:
    """Find duplicate images, and control a running ComparImg."""
    if not operating_system.IS_LINUX and context.invoked_subcommand not in ON_ALL_SYSTEMS:
        raise UsageError("ctl.linux_only", command=context.invoked_subcommand or "")
    context.obj = {"config": config_file, "address": address}


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit with its code."""
    _prepare_standard_streams()
    register_all()
    sys.exit(run(arguments))


def _prepare_standard_streams() -> None:
    """Open the standard streams that the caller has closed, so that no file of ours gets their numbers, to which
    libraries in C write. What an encoding such as Latin-1 lacks is shown as "?"."""
    with contextlib.suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= operating_system.STANDARD_ERROR:
            pass
        os.close(descriptor)
    # Python has no object for a stream that was closed.
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(operating_system.STANDARD_ERROR, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def register_all() -> Sectioned:
    """The program with all its commands."""
    from daemon.ctl import (
        bulk,
        calibration,
        compress,
        copies,
        destinations,
        detect,
        disks,
        doctor,
        duplicates,
        model,
        remote,
        roots,
        searches,
        service,
        setup,
        shell_files,
        sorting,
        workers,
    )

    for module in (
        bulk, calibration, compress, copies, destinations, detect, disks, doctor, duplicates, model, remote, roots,
        searches, service, setup, shell_files, sorting, workers,
    ):  # fmt: skip
        module.register(program)
    assert isinstance(program, Sectioned)
    return program


def run(arguments: list[str] | None) -> int:
    """Run the command. Errors are printed, and become exit codes, only here."""
    set_language(console_language())
    localize(program, console_language())
    try:
        result: Any = program.main(arguments, prog_name="comparimg-ctl", standalone_mode=False)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = None if context is None else Message("ctl.see_help", command=context.command_path)
        return _print_error(text(error.format_message()), hint, error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(render(Message("console.interrupted"), console_language()), err=True)
        return 1
    except ComparImgError as error:
        code = 3 if isinstance(error, NoDaemon) else 2 if isinstance(error, UsageError | ConfigError) else 1
        return _print_error(error.message, error.hint, code)
    except BrokenPipeError:
        # The reader of our output has closed it, as `head` does.
        sys.stderr.close()
        return 0
    except OSError as error:
        # A file that cannot be used, or an invalid file name.
        message = Message("ctl.system_error", error=of_os_error(error))
        if isinstance(error.filename, str | bytes):
            path = os.fsdecode(error.filename)
            message = Message("ctl.system_error_of", path=path, error=of_os_error(error))
        return _print_error(message, None, 2 if error.errno == errno.ENAMETOOLONG else 1)
    except UnicodeEncodeError:
        return _print_error(Message("ctl.argument_no_text"), None, 2)
    return result if isinstance(result, int) else 0


def _print_error(message: Message, hint: Message | None, code: int) -> int:
    """Print an error, with its hint on a separate line, each escaped for the terminal. Returns the exit code."""
    from daemon.terminal import printable

    in_words = render(message, console_language())
    # Only the problems of a configuration are printed on several lines.
    lines = in_words.splitlines() if message.code == "config.problems" else [in_words]
    if hint is not None:
        lines.append(f"  {render(hint, console_language())}")
    for number, line in enumerate(lines):
        shown = line if number else f"comparimg-ctl: {BLANKS.sub(' ', line).strip()}"
        if len(shown) > LONGEST_LINE:
            shown = f"{shown[: LONGEST_LINE // 2]}...{shown[-LONGEST_LINE // 2 :]}"
        click.echo(printable(shown), err=True)
    return code
