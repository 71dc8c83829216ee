"""comparimg-ctl roots: adds, changes and removes watched folders. Those of comparimg.toml cannot be removed here."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from daemon import terminal
from daemon.ctl.path_type import PATH
from daemon.ctl.remote import client, json_option
from daemon.ctl.rest_path import at, uri_of
from index.errors import NotFound
from index.messages import Message

Function = TypeVar("Function", bound=Callable[..., Any])


def register(program: click.Group) -> None:
    program.add_command(roots)


@click.group()
def roots() -> None:
    """The watched folders.

    They are set in comparimg.toml, or added here or on the page.
    """


def _root_options(function: Function) -> Function:
    for option in (
        click.option("--protected/--not-protected", default=None, help="Whether its files must never be changed."),
        click.option("--recursive/--not-recursive", default=None, help="Whether subfolders are included."),
        click.option("--mode", type=click.Choice(["auto", "native", "poll"]), help="How changes are detected."),
        click.option(
            "--priority", type=int, help="Of two equal images, the one in the folder of higher priority is kept."
        ),
        click.option(
            "--exclude",
            multiple=True,
            metavar="PATTERN",
            help="Names or paths to leave out; can be given more than once.",
        ),
    ):
        function = option(function)
    return function


@roots.command("list")
@json_option
@click.pass_context
def listing(context: click.Context, in_json: bool) -> None:
    """List the watched folders."""
    rows = list(client(context).pages("roots"))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("folder", "from", "state", "protected", "priority", "images", "left out"),
        [
            (
                row["path"], *(terminal.word(row[name] or "") for name in ("origin", "state", "protected_by")),
                row["priority"], row["images"], " ".join(row["exclude"]),
            )
            for row in rows
        ],
    )  # fmt: skip


@roots.command()
@click.argument("folder", type=PATH)
@_root_options
@json_option
@click.pass_context
def add(context: click.Context, /, folder: Path, in_json: bool, **given: Any) -> None:
    """Watch a folder of the machine on which the service runs."""
    _print(client(context).post("roots", {"path": uri_of(folder), **_values(given)}), "console.root_watched", in_json)


@roots.command()
@click.argument("folder", type=PATH)
@click.option("--reset", is_flag=True, help="First restore the values of comparimg.toml, or the defaults.")
@_root_options
@json_option
@click.pass_context
def change(context: click.Context, /, folder: Path, reset: bool, in_json: bool, **given: Any) -> None:
    """Change how a folder is watched."""
    api = client(context)
    changes: dict[str, Any] = dict.fromkeys(("recursive", "exclude", "protected", "priority", "mode")) if reset else {}
    _print(api.patch(at("roots", _id_of(api, folder)), changes | _values(given)), "console.root_changed", in_json)


@roots.command()
@click.argument("folder", type=PATH)
@json_option
@click.pass_context
def remove(context: click.Context, folder: Path, in_json: bool) -> None:
    """Stop watching a folder that was added here or on the page.

    None of its files is changed.
    """
    api = client(context)
    api.delete(at("roots", _id_of(api, folder)))
    if in_json:
        terminal.print_json({"removed": str(folder)})
    else:
        terminal.say(Message("console.root_removed", path=folder))


def _values(given: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in given.items() if value not in (None, ())}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _id_of(api: Any, folder: Path) -> int:
    """The id of a watched folder, given by its path or by a path that leads to it. Raises NotFound."""
    wanted = {uri_of(folder), Path(os.path.realpath(folder.expanduser())).as_uri()}
    for row in api.pages("roots"):
        if row["uri"] in wanted:
            return int(row["id"])
    raise NotFound("root.unknown", path=str(folder))


def _print(answer: Any, code: str, in_json: bool) -> None:
    if in_json:
        terminal.print_json(answer)
        return
    terminal.say(Message(code, path=answer["root"]["path"]))
    for line in filter(None, (answer["warning"], answer["remedy"])):
        click.echo(terminal.printable(line))
