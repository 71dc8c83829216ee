"""comparimg-ctl index: lists and restores backups of the index. Needs no daemon; restoring needs it stopped."""

import time
from pathlib import Path

import click

from daemon import terminal
from daemon.ctl.path_type import PATH
from daemon.ctl.remote import json_option
from index.errors import NotFound
from index.messages import Message


def register(program: click.Group) -> None:
    program.add_command(index)


@click.group()
def index() -> None:
    """Backups of the index."""


@index.command("list")
@json_option
@click.pass_context
def list_copies(context: click.Context, in_json: bool) -> None:
    """List the backups of the index, newest first."""
    from index.database.upkeep.backups import Backups

    copies = [(copy, copy.stat()) for copy in Backups(_data_dir(context)).newest_first()]
    if in_json:
        terminal.print_json(
            [{"file": str(copy), "made_s": int(status.st_mtime), "bytes": status.st_size} for copy, status in copies]
        )
        return
    made = "%Y-%m-%d %H:%M"
    terminal.print_table(
        ("copy", "made", "size"),
        [
            (copy.name, time.strftime(made, time.localtime(status.st_mtime)), terminal.bytes_in_words(status.st_size))
            for copy, status in copies
        ],
    )


@index.command()
@click.argument("copy", type=PATH, metavar="FILE")
@click.pass_context
def restore(context: click.Context, copy: Path) -> None:
    """Restore the index from a backup.

    FILE is a name from `index list` or the path of another copy. Stop the service first. The current index is kept
    next to it. Jobs that were unfinished in the backup are not resumed.
    """
    from index.database.upkeep.backups import FOLDER
    from index.database.upkeep.restore import replace_index

    data_dir = _data_dir(context)
    named = data_dir / FOLDER / copy
    file = named if copy.name == str(copy) and named.exists() else copy
    if not file.is_file():
        raise NotFound("ctl.no_backup", path=copy)
    kept = replace_index(data_dir / "index.sqlite3", file)
    terminal.say(Message("console.index_restored", file=file))
    if kept is not None:
        terminal.say(Message("console.index_kept", file=kept))


def _data_dir(context: click.Context) -> Path:
    from daemon.configuration.config import load

    return load(context.obj["config"]).daemon.data_dir
