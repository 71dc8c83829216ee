"""comparimg-ctl disks: the disks that are not mounted, and whose images are kept in the index."""

import click

from daemon import terminal
from daemon.ctl.remote import client, json_option
from daemon.ctl.rest_path import at
from index.messages import Message


def register(program: click.Group) -> None:
    program.add_command(disks)


@click.group()
def disks() -> None:
    """Disks in whose place another disk is mounted.

    Their images stay in the index until the disk is back.
    """


@disks.command("list")
@json_option
@click.pass_context
def listing(context: click.Context, in_json: bool) -> None:
    """List the absent disks."""
    rows = list(client(context).pages("disks"))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("disk", "folder", "identity", "images", "decided", "seen"),
        [(row["id"], row["path"], row["identity"], row["images"], row["decided"], row["seen"]) for row in rows],
    )


@disks.command()
@click.argument("disk_id", metavar="ID", type=int)
@json_option
@click.pass_context
def forget(context: click.Context, disk_id: int, in_json: bool) -> None:
    """Forget a disk that will not come back.

    Its images and their decisions are removed from the index. No file is changed.
    """
    client(context).delete(at("disks", disk_id))
    if in_json:
        terminal.print_json({"forgotten": disk_id})
    else:
        terminal.say(Message("console.disk_forgotten", disk=disk_id))
