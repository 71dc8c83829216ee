"""`comparimg-worker join FILE`: lends the processors of this machine to the ComparImg that made the file.

It connects to the service, and connects again whenever the connection ends. It opens no port, so nothing connects to
it.
"""

import asyncio
import logging
import os
import random
import signal
import ssl
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from daemon.console_language import console_language
from daemon.help_language import localize, set_language
from daemon.remote_workers import wire
from daemon.remote_workers.invitation import Invitation, address_text, read
from daemon.remote_workers.worker_session import Refused, Session
from daemon.version import VERSION
from index import operating_system
from index.errors import ComparImgError
from index.messages import Message, of_os_error, render, text

log = logging.getLogger(__name__)

# The pause between two attempts to connect. It is doubled each time, up to a minute, which is also the pause for a
# service of another version.
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="comparimg-worker")
def program() -> None:
    """Lend the processors of this machine to a ComparImg on another one."""


@program.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--processes", type=click.IntRange(1, 1024), help="Number of processes. [one for each processor]")
@click.option("--scratch", type=click.Path(path_type=Path), help="The folder for previews. [in memory]")
@click.option("--once", is_flag=True, hidden=True, help="End with the first connection.")
def join(file: Path, processes: int | None, scratch: Path | None, once: bool) -> None:
    """Connect to the ComparImg of an invitation, and work for it."""
    invitation = read(file)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with suppress(asyncio.CancelledError):
        asyncio.run(_work(invitation, processes or operating_system.cores(), scratch, once))


async def _work(invitation: Invitation, processes: int, scratch: Path | None, once: bool) -> None:
    pause_s = FIRST_PAUSE_S
    current = asyncio.current_task()
    assert current is not None
    # Handled like Ctrl-C, so that the folder for previews is emptied.
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, current.cancel)
    context = _context(invitation)
    where = address_text(invitation.host, invitation.port)
    while True:
        welcomed = False

        def welcome() -> None:
            nonlocal welcomed
            welcomed = True
            _say(Message("lending.joined", address=where, n=processes))

        try:
            await _connect(invitation, context, processes, scratch, welcome)
        except Refused as refused:
            if refused.reason == "revoked":
                raise ComparImgError("lending.revoked", address=where) from refused
            _say(Message("lending.version", version=VERSION, own=refused.version))
            pause_s = LONGEST_PAUSE_S
        except (OSError, EOFError, ValueError) as error:
            _say(Message("lending.not_connected", address=where, error=_problem(error)))
        if once:
            return
        if welcomed:
            pause_s = FIRST_PAUSE_S
        # A random pause, so that several machines do not reconnect at the same moment.
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def _connect(
    invitation: Invitation, context: ssl.SSLContext, processes: int, scratch: Path | None, welcomed: Any
) -> None:
    reader, writer = await asyncio.wait_for(
        asyncio.open_connection(
            invitation.host, invitation.port, ssl=context, server_hostname=wire.SERVICE_NAME, limit=2**20
        ),
        wire.HELLO_S,
    )
    try:
        await Session(reader, writer, processes, scratch).run(welcomed)
    finally:
        writer.transport.abort()


def _problem(error: OSError | EOFError | ValueError) -> Message:
    """Why there is no connection, as a message for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Message("lending.other_certificate", error=error.verify_message)
    if isinstance(error, TimeoutError):
        return Message("lending.no_answer")
    if isinstance(error, EOFError):
        return Message("lending.hung_up")
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        # asyncio replaces the text of the error number with its own.
        return of_os_error(OSError(error.errno, os.strerror(error.errno)))
    return text(str(error) or type(error).__name__)


def _context(invitation: Invitation) -> ssl.SSLContext:
    """TLS 1.3 that accepts the service of the invitation and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=invitation.authority)
    # Python reads the key from a file only. No other user can open this one, and it is removed at once.
    descriptor, path = tempfile.mkstemp(prefix="comparimg-")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(invitation.certificate + invitation.key)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)
    return context


def _say(message: Message) -> None:
    log.info("%s", render(message, console_language()))


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit with its code: 0 done, 1 failed, 2 wrong usage."""
    set_language(console_language())
    localize(program, console_language())
    try:
        program.main(arguments, prog_name="comparimg-worker", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(1)
    except ComparImgError as error:
        click.echo(f"comparimg-worker: {render(error.message, console_language())}", err=True)
        if error.hint is not None:
            click.echo(f"  {render(error.hint, console_language())}", err=True)
        sys.exit(1)
