"""comparimg-ctl destinations: lists, adds and removes destinations. Those of comparimg.toml cannot be changed here."""

from pathlib import Path

import click

from daemon import terminal
from daemon.ctl.path_type import PATH
from daemon.ctl.remote import client, json_option
from daemon.ctl.rest_path import at, uri_of
from index.messages import Message


def register(program: click.Group) -> None:
    program.add_command(destinations)


@click.group()
def destinations() -> None:
    """The folders that images can be moved to.

    They are set in comparimg.toml, or added here or on the page.
    """


@destinations.command("list")
@json_option
@click.pass_context
def listing(context: click.Context, in_json: bool) -> None:
    """List the destinations."""
    rows = list(client(context).pages("destinations"))
    if in_json:
        terminal.print_json(rows)
        return
    missing = terminal.sentence(Message("console.destination_missing"))
    terminal.print_table(
        ("name", "folder", "from", ""),
        [(row["name"], row["path"], terminal.word(row["origin"]), "" if row["exists"] else missing) for row in rows],
    )


@destinations.command()
@click.argument("name")
@click.argument("folder", type=PATH)
@click.option("--create", is_flag=True, help="Create the folder if it does not exist.")
@json_option
@click.pass_context
def add(context: click.Context, name: str, folder: Path, create: bool, in_json: bool) -> None:
    """Add a destination, a folder on the machine of the service."""
    answer = client(context).post("destinations", {"name": name, "path": uri_of(folder), "create": create})
    if in_json:
        terminal.print_json(answer)
        return
    added = answer["destination"]
    terminal.say(Message("console.destination_added", name=added["name"], path=added["path"]))
    for line in filter(None, (answer["warning"], answer["remedy"])):
        click.echo(terminal.printable(line))


@destinations.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(context: click.Context, name: str, in_json: bool) -> None:
    """Remove a destination that was added here or on the page.

    Its folder and the files in it are kept.
    """
    client(context).delete(at("destinations", name))
    if in_json:
        terminal.print_json({"removed": name})
    else:
        terminal.say(Message("console.destination_removed", name=name))
