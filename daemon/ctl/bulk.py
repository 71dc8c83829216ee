"""comparimg-ctl with a daemon: decide about many groups at once."""

from typing import Any

import click

from daemon import terminal
from daemon.ctl.remote import client, json_option
from daemon.ctl.rest_path import at


def register(program: click.Group) -> None:
    program.add_command(accept)


@click.command()
@click.argument("groups", metavar="[GROUP]...", nargs=-1)
@click.option("--kind", help="Of these match kinds only: exact, pixels, near, possible, with commas.")
@click.option("--path", help="Only groups with an image in this folder, or with this in its path.")
@click.option("--keep-all", is_flag=True, help="Keep every image instead.")
@click.option("--dry-run", is_flag=True, help="Show how much would be decided, and decide nothing.")
@json_option
@click.pass_context
def accept(
    context: click.Context,
    groups: tuple[str, ...],
    kind: str | None,
    path: str | None,
    keep_all: bool,
    dry_run: bool,
    in_json: bool,
) -> None:
    """Accept the proposals for all groups, or for those named. What you have decided stays, and ties are left to you.

    No file is touched until `comparimg-ctl sort`.
    """
    body: dict[str, Any] = {"action": "keep" if keep_all else "accept"}
    if groups:
        body["groups"] = list(groups)
    effect = client(context).post(at("decisions", "preview" if dry_run else "apply"), body, kind=kind, path=path)
    if in_json:
        terminal.print_json(effect)
        return
    size = terminal.bytes_in_words(effect["bytes"])
    decided, images = terminal.counted(effect["groups"], "group"), terminal.counted(effect["images"], "image")
    click.echo(f"{'would decide' if dry_run else 'decided'} {decided}: {images} to the trash, {size}")
    if effect["left_open"]:
        click.echo(f"{terminal.counted(effect['left_open'], 'group')} left to you")
    if effect["order"]:
        click.echo(f"take it back with: comparimg-ctl rules revoke {effect['order']}")
