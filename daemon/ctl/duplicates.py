"""comparimg-ctl duplicates: prints all duplicates for another program."""

import sys

import click

from daemon import terminal
from daemon.ctl.remote import client
from index.messages import Message
from index.model import Kind

FORMS = ("json", "csv", "text")
KINDS = tuple(str(kind) for kind in Kind)


def register(program: click.Group) -> None:
    program.add_command(duplicates)


@click.command()
@click.option("--format", "form", type=click.Choice(FORMS), default="text", help="Output format. [text]")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS),
    help="Only this kind of match; can be given more than once.",
)
@click.pass_context
def duplicates(context: click.Context, form: str, kinds: tuple[str, ...]) -> None:
    """Print all duplicates in a form for other programs.

    The format text has the paths of each group, the reference first, and an empty line between groups, like fdupes.
    Without --kind, it only lists identical files and files with identical pixels. The format csv has a row for each
    image; json has everything. A group with a line break in a path is in csv and json only.
    """
    sys.stdout.flush()
    has_any = client(context).download("duplicates", sys.stdout.buffer, format=form, kind=",".join(kinds) or None)
    sys.stdout.buffer.flush()
    if not has_any and not kinds:
        terminal.say(Message("console.no_certain_duplicates"), to_stderr=True)
