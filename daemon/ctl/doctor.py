"""comparimg-ctl doctor: what is wrong, and what to do about it; fails where something is."""

from pathlib import Path

import click

from daemon import terminal
from daemon.ctl.remote import as_json
from index.errors import ComparImgError

MARKS = {"good": "ok", "note": "note", "warning": "WARN", "wrong": "WRONG"}


def register(program: click.Group) -> None:
    program.add_command(doctor)


@click.command()
@as_json
@click.pass_context
def doctor(context: click.Context, in_json: bool) -> None:
    """Look at this machine, the folders, the index and the service, and tell what to do.

    Changes nothing, and needs no daemon. Fails where something is wrong.
    """
    from daemon.machine import doctor as looking
    from daemon.machine.checks import Grade
    from daemon.machine.installation import Places

    places = [Places.of_system(), Places.of_user(Path.home())]
    found = []
    for finding in looking.examine(context.obj["config"], places, context.obj["address"]):
        found.append(finding)
        if not in_json:
            click.echo(f"{MARKS[finding.grade]:5}  {terminal.printable(f'{finding.about}: {finding.told}')}")
            if finding.remedy:
                click.echo(f"       {terminal.printable(finding.remedy)}")
    if in_json:
        rows = [{"about": one.about, "grade": one.grade, "told": one.told, "remedy": one.remedy} for one in found]
        terminal.print_json(rows)
    wrong = sum(one.grade is Grade.WRONG for one in found)
    if wrong:
        raise ComparImgError(f"{wrong} thing{'s are' if wrong > 1 else ' is'} wrong.")
