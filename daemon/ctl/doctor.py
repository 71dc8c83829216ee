"""comparimg-ctl doctor: prints the findings of daemon.machine.doctor; fails if something is wrong."""

import re
from pathlib import Path
from typing import Any

import click

from daemon import terminal
from daemon.ctl.remote import json_option
from index.errors import ComparImgError
from index.messages import Message


def register(program: click.Group) -> None:
    program.add_command(doctor)


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, in_json: bool) -> None:
    """Check this machine, the folders, the index and the service.

    Each problem is reported with its remedy. Nothing is changed, and no running service is needed. The exit code is 1
    if something is wrong.
    """
    from daemon.machine import doctor as looking
    from daemon.machine.checks import Grade
    from daemon.machine.installation import Places

    places = [Places.of_system(), Places.of_user(Path.home())]
    findings = []
    for finding in looking.examine(context.obj["config"], places, context.obj["address"]):
        findings.append(finding)
        if not in_json:
            _print(finding)
    if in_json:
        rows = [
            {
                "about": finding.about,
                "grade": finding.grade,
                "message": terminal.in_words(finding.message),
                "remedy": terminal.in_words(finding.remedy),
            }
            for finding in findings
        ]
        terminal.print_json(rows)
    wrong = sum(finding.grade is Grade.WRONG for finding in findings)
    if wrong:
        raise ComparImgError("ctl.things_wrong", n=wrong)


def _print(finding: Any) -> None:
    from daemon.machine.checks import Grade

    # "root /photos" is split into the kind and the name of a folder or file, so that the kind can be translated.
    named = re.match(r"([a-z ]+?)( /.*| index\..*)?$", finding.about, re.DOTALL)
    kind, name = named.groups() if named else (finding.about, "")
    about = terminal.word(kind.replace(" ", "_")) + (name or "")
    grades = {grade: terminal.sentence(Message(f"grade.{grade}")) for grade in Grade}
    width = max(map(len, grades.values()))
    line = terminal.sentence(Message("console.finding", about=about, finding=finding.message))
    click.echo(f"{grades[finding.grade]:{width}}  {line}")
    if finding.remedy:
        click.echo(f"{'':{width}}  {terminal.sentence(finding.remedy)}")
