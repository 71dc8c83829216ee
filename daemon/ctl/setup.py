"""comparimg-ctl schedule, config, token and notify-test."""

import json
from pathlib import Path
from typing import Any

import click

from daemon import terminal
from daemon.ctl.path_type import PATH
from daemon.ctl.remote import client, json_option, parse_value
from daemon.ctl.rest_path import at
from index.errors import ComparImgError, NoDaemon, NotFound, UsageError
from index.messages import Message, joined


def register(program: click.Group) -> None:
    program.add_command(schedule)
    program.add_command(config)
    program.add_command(token)
    program.add_command(notify_test)


@click.group()
def schedule() -> None:
    """The schedules that start jobs."""


@schedule.command("list")
@json_option
@click.pass_context
def list_schedules(context: click.Context, in_json: bool) -> None:
    """List the schedules and when each runs next."""
    rows = list(client(context).pages("schedules"))
    if in_json:
        terminal.print_json(rows)
        return
    off = terminal.sentence(Message("console.schedule_off"))
    terminal.print_table(
        ("name", "job", "when", "next", "from"),
        [
            (
                row["name"],
                terminal.word(row["kind"]),
                row["trigger"],
                row["next_run"] if row["enabled"] else off,
                terminal.word(row["origin"]),
            )
            for row in rows
        ],
    )


@schedule.command()
@click.argument("name")
@click.argument("kind", type=click.Choice(["detect", "scan", "sort", "compress"]))
@click.argument("trigger")
@click.option("-p", "--parameters", default="{}", help="Parameters of the job, as JSON.")
@json_option
@click.pass_context
def add(context: click.Context, name: str, kind: str, trigger: str, parameters: str, in_json: bool) -> None:
    """Add a schedule by cron ("0 3 * * *") or interval ("every 6h")."""
    try:
        given = json.loads(parameters)
    except (ValueError, RecursionError) as error:
        raise UsageError("ctl.parameters_no_json", field="parameters") from error
    body = {"name": name, "kind": kind, "trigger": trigger, "parameters": given}
    answer = client(context).post("schedules", body)
    if in_json:
        terminal.print_json(answer)
    else:
        kind, time = terminal.word(answer["kind"]), answer["next_run"]
        terminal.say(Message("console.schedule_next", name=answer["name"], kind=kind, time=time))


@schedule.command()
@click.argument("name")
@json_option
@click.pass_context
def remove(context: click.Context, name: str, in_json: bool) -> None:
    """Remove a schedule."""
    api = client(context)
    entry = next((entry for entry in api.pages("schedules") if entry["name"] == name), None)
    if entry is None:
        raise NotFound("ctl.unknown_schedule", name=name)
    api.delete(at("schedules", entry["id"]))
    if in_json:
        terminal.print_json({"removed": entry})
    else:
        terminal.say(Message("console.schedule_removed", name=name))


@click.group()
def config() -> None:
    """The configuration file, and the settings that override it."""


@config.command()
@click.argument("file", required=False, type=PATH)
@json_option
@click.pass_context
def check(context: click.Context, file: Path | None, in_json: bool) -> None:
    """Check the configuration and report every problem in it."""
    from daemon.configuration.config import load

    configuration = load(file or context.obj["config"])
    if in_json:
        terminal.print_json({"source": configuration.source and str(configuration.source), "problems": []})
    else:
        source = configuration.source or Message("config.defaults")
        terminal.say(Message("console.config_good", file=source, n=len(configuration.watch)))


@config.command()
@json_option
@click.pass_context
def show(context: click.Context, in_json: bool) -> None:
    """List every setting with its value and the origin of the value."""
    from daemon.configuration.config import describe, load

    configuration = load(context.obj["config"])
    overrides: dict[str, Any] = {}
    try:
        overrides = {
            setting["key"]: setting["value"]
            for setting in client(context).pages("settings")
            if setting["origin"] == "override"
        }
    except NoDaemon:
        terminal.say(Message("console.no_overrides"), to_stderr=True)
    rows = describe(configuration, overrides)
    if in_json:
        terminal.print_json(rows)
    else:
        terminal.print_table(
            ("key", "value", "from"),
            [(row["key"], json.dumps(row["value"]), terminal.word(row["origin"])) for row in rows],
        )


@config.command("set")
@click.argument("key")
@click.argument("value")
@json_option
@click.pass_context
def set_value(context: click.Context, key: str, value: str, in_json: bool) -> None:
    """Change a setting of the running service.

    The value "default" restores that of the configuration file.
    """
    api = client(context)
    api.patch("settings", {key: None if value == "default" else parse_value(value)})
    setting = next(setting for setting in api.pages("settings") if setting["key"] == key)
    if in_json:
        terminal.print_json(setting)
    else:
        click.echo(f"{key} = {json.dumps(setting['value'])} ({terminal.word(setting['origin'])})")


@click.command()
@click.option(
    "--new", is_flag=True, help="Create a new token. The old one, and every session opened with it, becomes invalid."
)
@json_option
@click.pass_context
def token(context: click.Context, new: bool, in_json: bool) -> None:
    """Show the token that the page asks for on other machines."""
    from daemon import pidfile
    from daemon.configuration import tokens
    from daemon.configuration.config import load

    configuration = load(context.obj["config"])
    given = (
        tokens.renew(configuration)
        if new
        else tokens.required(configuration) or tokens.stored(configuration.daemon.data_dir)
    )
    reloaded = pidfile.reload(configuration.daemon.data_dir) if new else False
    if in_json:
        terminal.print_json({"token": given, "needed": bool(tokens.required(configuration)), "reloaded": reloaded})
        return
    click.echo(given or terminal.sentence(Message("console.none")))
    if not tokens.required(configuration):
        terminal.say(Message("console.token_not_needed", host=configuration.web.host), to_stderr=True)
    elif new and not reloaded:
        terminal.say(Message("console.token_next_start"), to_stderr=True)


@click.command("notify-test")
@json_option
@click.pass_context
def notify_test(context: click.Context, in_json: bool) -> None:
    """Send a test notification and report whether it was delivered."""
    answer = client(context).post("notices/test", {})
    if in_json:
        terminal.print_json(answer)
    for name in [] if in_json else answer["arrived"]:
        terminal.say(Message("console.notice_arrived", name=name))
    if answer["failed"]:
        raise ComparImgError(
            joined(
                "join.notes",
                [Message("ctl.not_delivered", name=name, problem=reason) for name, reason in answer["failed"].items()],
            )
        )
