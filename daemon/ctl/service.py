"""comparimg-ctl service: installs, shows and uninstalls the systemd service."""

import os
from pathlib import Path
from typing import Any

import click

from daemon import terminal
from daemon.ctl import shell_files
from daemon.ctl.path_type import PATH
from daemon.ctl.remote import json_option
from daemon.ctl.sections import root_program
from index.errors import ComparImgError
from index.messages import Message


def register(program: click.Group) -> None:
    program.add_command(service)


def scope_options(function: Any) -> Any:
    """Options that choose the service: by default the system's for root, and the user's own for others."""
    function = click.option(
        "--system", "scope", flag_value="system", help="A service of the system, started at boot. [default for root]"
    )(function)
    return click.option(
        "--user", "scope", flag_value="user", help="A service of your own user. [default for other users]"
    )(function)


def places_of(scope: str | None) -> Any:
    from daemon.machine.installation import Places

    is_system = scope == "system" or (scope is None and os.geteuid() == 0)
    return Places.of_system() if is_system else Places.of_user(Path.home())


@click.group()
def service() -> None:
    """ComparImg as a systemd service."""


@service.command()
@scope_options
@click.option(
    "--photos",
    multiple=True,
    type=PATH,
    metavar="DIR",
    help="A folder to watch; can be given more than once.",
)
@click.option(
    "--as", "user", default="", metavar="USER", help="The user that it runs as. [the owner of the photographs]"
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, without doing it.")
@click.pass_context
def install(context: click.Context, scope: str | None, photos: tuple[Path, ...], user: str, dry_run: bool) -> None:
    """Install the service, and start it now and at every boot.

    Run it again after adding folders to the configuration, or to upgrade. The index is kept, and is backed up before
    its tables change.
    """
    from daemon.machine.installation import Installation

    places = places_of(scope)
    Installation(places, click.echo, dry_run, shell_files.files(root_program(context))).install(photos, user)
    if not dry_run:
        terminal.say(Message("console.installed", config=places.config))


@service.command()
@scope_options
@click.option("--dry-run", is_flag=True, help="Show what would be done, without doing it.")
@click.pass_context
def uninstall(context: click.Context, scope: str | None, dry_run: bool) -> None:
    """Uninstall the service.

    Configuration, index, trash and photographs are kept.
    """
    from daemon.machine.installation import Installation

    shared = shell_files.files(root_program(context))
    Installation(places_of(scope), click.echo, dry_run, shared).uninstall()


@service.command("status")
@scope_options
@json_option
def status_of_service(scope: str | None, in_json: bool) -> None:
    """Show whether the service is installed and running.

    The exit code is 1 if it is not running.
    """
    from daemon.machine import environment, installation

    places = places_of(scope)
    systemd_state = installation.state(places)
    report = {
        "installed": places.unit.exists(),
        "unit": str(places.unit),
        "config": str(places.config),
        "version": environment.version_in(places.environment),
        "systemd": systemd_state,
    }
    if in_json:
        terminal.print_json(report)
    elif not report["installed"]:
        terminal.say(Message("console.not_installed", unit=places.unit))
    else:
        version = report["version"] or Message("console.version_of_package")
        terminal.say(Message("console.service", unit=places.unit, version=version, config=places.config))
        lines = (f"{name}: {value}" for name, value in systemd_state.items() if value and value != "[not set]")
        click.echo("\n".join(lines) if systemd_state else terminal.sentence(Message("console.no_systemd")))
    if systemd_state.get("ActiveState") != "active":
        raise ComparImgError("ctl.service_stopped")
