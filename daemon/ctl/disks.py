"""comparimg-ctl disks: those that are not mounted, and whose images are put aside."""

import click

from daemon import terminal
from daemon.ctl.remote import client, json_option
from daemon.ctl.rest_path import at


def register(program: click.Group) -> None:
    program.add_command(disks)


@click.group()
def disks() -> None:
    """Disks in whose place another one is mounted: the images of the first wait until it is back."""


@disks.command("list")
@json_option
@click.pass_context
def listing(context: click.Context, in_json: bool) -> None:
    """List the disks that are away."""
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
    """Forget a disk that does not come back: its images, and what was decided about them. No file is touched."""
    client(context).delete(at("disks", disk_id))
    if in_json:
        terminal.print_json({"forgotten": disk_id})
    else:
        click.echo(f"disk {disk_id} is forgotten")
