"""comparimg-ctl searches: searches any folder of the daemon's machine, separately from the library's groups."""

from pathlib import Path
from typing import Any

import click

from daemon import terminal
from daemon.ctl.path_type import PATH
from daemon.ctl.remote import client, follow, json_option, print_job
from daemon.ctl.rest_path import at, uri_of
from index.messages import Message
from index.model import HSIZES, Depth, Method


def register(program: click.Group) -> None:
    program.add_command(searches)


@click.group()
def searches() -> None:
    """Searches limited to one folder.

    A folder that is not watched is indexed for its search only, and never changed.
    """


@searches.command("list")
@json_option
@click.pass_context
def listing(context: click.Context, in_json: bool) -> None:
    """List the searches; `groups --search ID` lists the groups of one."""
    rows = list(client(context).pages("searches"))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("search", "folders", "method", "groups", "finished", ""),
        [
            (
                row["id"], " ".join(row["folders"]), row["method"], row["groups"], row["finished"],
                terminal.sentence(Message("console.not_watched")) if row["temporary"] else "",
            )
            for row in rows
        ],
    )  # fmt: skip


@searches.command()
@click.argument("folder", type=PATH)
@click.option("--not-recursive", is_flag=True, help="Leave out subfolders.")
@click.option(
    "-s",
    "--hsize",
    type=click.Choice([str(h) for h in HSIZES]),
    help="Hash size: a larger hash distinguishes finer details.",
)
@click.option(
    "-t", "--tolerance", type=click.IntRange(0), help="Largest Hamming distance of a candidate pair, in bits."
)
@click.option(
    "--depth", type=click.Choice([str(d) for d in Depth]), help="Search depth: thorough also finds cropped copies."
)
@click.option("--method", type=click.Choice([str(m) for m in Method]), help="How candidate pairs are proposed.")
@click.option("--wait", is_flag=True, help="Wait until the job has ended.")
@json_option
@click.pass_context
def start(
    context: click.Context,
    /,
    folder: Path,
    not_recursive: bool,
    hsize: str | None,
    wait: bool,
    in_json: bool,
    **given: Any,
) -> None:
    """Search in a folder.

    Options that are not given are taken from the settings. The previous search is replaced.
    """
    body = {"folder": uri_of(folder), "recursive": not not_recursive, "hsize": None if hsize is None else int(hsize)}
    api = client(context)
    started = api.post("searches", {**body, **given})
    print_job(follow(api, started["id"]) if wait else started, in_json)


@searches.command()
@click.argument("search_id", metavar="ID", type=int)
@json_option
@click.pass_context
def dismiss(context: click.Context, search_id: int, in_json: bool) -> None:
    """Dismiss a search.

    A folder that was indexed for this search only is removed from the index, with the decisions in it.
    """
    client(context).delete(at("searches", search_id))
    if in_json:
        terminal.print_json({"dismissed": search_id})
    else:
        terminal.say(Message("console.search_dismissed", search=search_id))
