"""comparimg-ctl workers: the machines that lend their processors. For instructions and security see docs/workers.md."""

from pathlib import Path
from typing import Any

import click

from daemon import terminal
from daemon.ctl.path_type import PATH
from daemon.ctl.remote import client, json_option
from index.errors import NoDaemon, UsageError
from index.messages import Message


def register(program: click.Group) -> None:
    program.add_command(workers)


@click.group()
def workers() -> None:
    """Other machines that lend their processors.

    They compare previews and have no access to your files.
    """


@workers.command()
@click.argument("name")
@click.option("--out", type=PATH, help="The file to write. [NAME.worker]")
@click.option("--host", help="The name or address by which the other machine reaches this one. [from [workers] listen]")
@json_option
@click.pass_context
def invite(context: click.Context, name: str, out: Path | None, host: str | None, in_json: bool) -> None:
    """Invite a machine: write the file with which it can connect.

    The file is its key: copy it to that machine over a safe connection, and run there: comparimg-worker join FILE
    """
    from daemon.remote_workers.invitation import reachable_host
    from daemon.remote_workers.roster import Roster, check_name

    check_name(name)
    config = _config(context)
    from index.settings import parse_tls_address

    listening, port = parse_tls_address(_listen(config))
    try:
        from daemon.remote_workers.inviting import invite as write_invitation
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "cryptography":
            raise
        raise UsageError("lending.no_cryptography") from error
    target = out or Path(f"{name}.worker")
    roster = Roster(config.daemon.data_dir)
    invitation = write_invitation(roster, name, host or reachable_host(listening), port, target)
    if in_json:
        terminal.print_json({"name": name, "file": str(target), "host": invitation.host, "port": invitation.port})
        return
    host, port = invitation.host, invitation.port
    terminal.say(Message("console.invited", file=target, name=name, host=host, port=port))
    terminal.say(Message("console.join_there", file=target.name))


@workers.command("list")
@json_option
@click.pass_context
def listing(context: click.Context, in_json: bool) -> None:
    """List the invited machines and what they do."""
    from daemon.remote_workers.roster import Roster

    try:
        report = client(context).get("workers")
    except NoDaemon:
        report = None
    if report is None or not report["listening"]:
        invited = Roster(_config(context).daemon.data_dir).invited()
        rows: list[dict[str, Any]] = [{"name": entry.name, "connected": False} for entry in invited]
    else:
        rows = report["items"]
    if in_json:
        terminal.print_json(report if report is not None and report["listening"] else {"items": rows})
        return
    if report is not None and report["problem"]:
        click.echo(report["problem"])
    elif report is not None and not report["listen"]:
        terminal.say(Message("console.not_lending"))
    terminal.print_table(
        ("name", "state", "address", "processes", "share", "pairs", "described", "embedded", ""),
        [_row(row) for row in rows],
    )


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    state = terminal.word("connected" if row["connected"] else "away")
    if "done" not in row:
        return row["name"], state, "", "", "", "", "", "", ""
    done = row["done"]
    share = terminal.sentence(Message("console.share", percent=round(100 * row["share"])))
    work = done["verify"], done["describe"], done["embed"]
    return row["name"], state, row["address"], row["processes"] or "", share, *work, row["problem"]


@workers.command()
@click.argument("name")
@json_option
@click.pass_context
def revoke(context: click.Context, name: str, in_json: bool) -> None:
    """Revoke the invitation of a machine.

    A connected machine is disconnected within a second; its tasks are done elsewhere.
    """
    from daemon.remote_workers.roster import Roster

    Roster(_config(context).daemon.data_dir).remove(name)
    if in_json:
        terminal.print_json({"revoked": name})
    else:
        terminal.say(Message("console.worker_revoked", name=name))


def _config(context: click.Context) -> Any:
    from daemon.configuration.config import load

    return load(context.obj["config"])


def _listen(config: Any) -> str:
    if not config.workers.listen:
        raise UsageError("lending.no_listen")
    return str(config.workers.listen)
