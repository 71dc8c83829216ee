"""comparimg-ctl on how it is set up: schedules and configuration."""

import json
from pathlib import Path
from typing import Any

import click

from daemon import terminal
from daemon.ctl.remote import as_json, client, parsed
from daemon.ctl.rest_path import at
from index.errors import ComparImgError, NoDaemon, NotFound, UsageError


def register(program: click.Group) -> None:
    program.add_command(schedule)
    program.add_command(config)
    program.add_command(token)
    program.add_command(notify_test)


@click.group()
def schedule() -> None:
    """When jobs start by themselves."""


@schedule.command("list")
@as_json
@click.pass_context
def list_schedules(context: click.Context, in_json: bool) -> None:
    """List the schedules and when each runs next."""
    found = list(client(context).pages("schedules"))
    if in_json:
        terminal.print_json(found)
        return
    terminal.print_table(
        ("name", "job", "when", "next", "from"),
        [
            (one["name"], one["kind"], one["trigger"], one["next_run"] if one["enabled"] else "off", one["origin"])
            for one in found
        ],
    )


@schedule.command()
@click.argument("name")
@click.argument("kind", type=click.Choice(["detect", "scan", "sort", "compress"]))
@click.argument("trigger")
@click.option("-p", "--parameters", default="{}", help="Parameters of the job, in JSON.")
@as_json
@click.pass_context
def add(context: click.Context, name: str, kind: str, trigger: str, parameters: str, in_json: bool) -> None:
    """Start a job by cron ("0 3 * * *") or interval ("every 6h")."""
    try:
        given = json.loads(parameters)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The parameters are no JSON: {error}.", field="parameters") from error
    body = {"name": name, "kind": kind, "trigger": trigger, "parameters": given}
    told = client(context).post("schedules", body)
    if in_json:
        terminal.print_json(told)
    else:
        click.echo(f"{told['name']}: {told['kind']} next at {told['next_run']}")


@schedule.command()
@click.argument("name")
@as_json
@click.pass_context
def remove(context: click.Context, name: str, in_json: bool) -> None:
    """Remove a schedule."""
    ask = client(context)
    found = next((one for one in ask.pages("schedules") if one["name"] == name), None)
    if found is None:
        raise NotFound(f"There is no schedule {name!r}.")
    ask.delete(at("schedules", found["id"]))
    if in_json:
        terminal.print_json({"removed": found})
    else:
        click.echo(f"removed {name}")


@click.group()
def config() -> None:
    """The configuration file and the settings over it."""


@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@as_json
@click.pass_context
def check(context: click.Context, file: Path | None, in_json: bool) -> None:
    """Read the configuration and tell everything that is wrong with it."""
    from daemon.configuration.config import load

    found = load(file or context.obj["config"])
    if in_json:
        terminal.print_json({"source": found.source and str(found.source), "problems": []})
    else:
        click.echo(f"{found.source or 'no file, the defaults'}: good, {len(found.watch)} watched folders")


@config.command()
@as_json
@click.pass_context
def show(context: click.Context, in_json: bool) -> None:
    """Every setting with its value and where that comes from."""
    from daemon.configuration.config import describe, load

    found = load(context.obj["config"])
    overrides: dict[str, Any] = {}
    try:
        overrides = {
            one["key"]: one["value"] for one in client(context).pages("settings") if one["origin"] == "override"
        }
    except NoDaemon:
        click.echo("no daemon runs: settings changed while it ran are not shown", err=True)
    rows = describe(found, overrides)
    if in_json:
        terminal.print_json(rows)
    else:
        terminal.print_table(
            ("key", "value", "from"), [(row["key"], json.dumps(row["value"]), row["origin"]) for row in rows]
        )


@config.command("set")
@click.argument("key")
@click.argument("value")
@as_json
@click.pass_context
def set_value(context: click.Context, key: str, value: str, in_json: bool) -> None:
    """Change a setting of the running daemon; "default" goes back to the file's value."""
    ask = client(context)
    ask.patch("settings", {key: None if value == "default" else parsed(value)})
    told = next(one for one in ask.pages("settings") if one["key"] == key)
    if in_json:
        terminal.print_json(told)
    else:
        click.echo(f"{key} = {json.dumps(told['value'])} ({told['origin']})")


@click.command()
@click.option("--new", is_flag=True, help="Make another one. The one before, and every session it opened, ends.")
@as_json
@click.pass_context
def token(context: click.Context, new: bool, in_json: bool) -> None:
    """Show the token that the page and programs on other machines are asked for."""
    from daemon import running
    from daemon.configuration import tokens
    from daemon.configuration.config import load

    found = load(context.obj["config"])
    given = tokens.renew(found) if new else tokens.required(found) or tokens.kept(found.daemon.data_dir)
    told = running.reload(found.daemon.data_dir) if new else False
    if in_json:
        terminal.print_json({"token": given, "needed": bool(tokens.required(found)), "reloaded": told})
        return
    click.echo(given or "none")
    if not tokens.required(found):
        click.echo(f"The page listens at {found.web.host} only, where no token is asked for.", err=True)
    elif new and not told:
        click.echo("A service that runs takes it when it is reloaded or started again.", err=True)


@click.command("notify-test")
@as_json
@click.pass_context
def notify_test(context: click.Context, in_json: bool) -> None:
    """Send a test notice, and tell whether it arrived."""
    told = client(context).post("notices/test", {})
    if in_json:
        terminal.print_json(told)
    for name in [] if in_json else told["arrived"]:
        click.echo(f"{name}: arrived")
    if told["failed"]:
        raise ComparImgError("; ".join(f"{name}: {words}" for name, words in told["failed"].items()))
