"""comparimg-ctl with a daemon, over REST: what there is, and what to do."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from daemon import terminal
from daemon.ctl.rest_path import at
from index.errors import ComparImgError, UsageError

Function = TypeVar("Function", bound=Callable[..., Any])

ENDED = ("done", "failed", "cancelled")
FOLLOW_EVERY_S = 0.5


def register(program: click.Group) -> None:
    for command in (status, groups, group, problems, scan, run, jobs, job, cancel, deny, verdicts, revoke):
        program.add_command(command)


def as_json(function: Function) -> Function:
    return click.option("--json", "in_json", is_flag=True, help="Answer in JSON.")(function)


def limited(function: Function) -> Function:
    return click.option("-n", "--limit", type=click.IntRange(1), default=50, help="How many at most. [50]")(function)


def client(context: click.Context) -> Any:
    """The daemon that --address names, or else the configuration."""
    from daemon.client import Client
    from daemon.configuration import tokens
    from daemon.configuration.config import load

    config = load(context.obj["config"])
    # An address that means all of them is reached at this machine's own, which needs no name to be looked up.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)
    address = context.obj["address"] or f"http://{f'[{host}]' if ':' in host else host}:{config.web.port}"
    return Client(address, tokens.to_send(config))


@click.command()
@as_json
@click.pass_context
def status(context: click.Context, in_json: bool) -> None:
    """How the daemon is, what it knows and what it does."""
    ask = client(context)
    told, roots = ask.get("status"), list(ask.pages("roots"))
    if in_json:
        terminal.print_json({**told, "roots": roots})
        return
    totals = told["totals"]
    dead = [name for name, lives in told["parts"].items() if not lives]
    click.echo(f"ComparImg {told['version']}, {'healthy' if not dead else 'FAILING: ' + ', '.join(dead)}")
    click.echo(
        f"{terminal.counted(totals['images'], 'image')} ({terminal.bytes_in_words(totals['size_bytes'])}),"
        f" {terminal.counted(totals['groups'], 'group')} of duplicates,"
        f" {terminal.bytes_in_words(totals['reclaimable_bytes'])} in copies,"
        f" {terminal.counted(totals['problems'], 'problem')}"
    )
    terminal.print_table(
        ("folder", "state", "watched", "images", ""),
        [(root["path"], root["state"], root["mode"], root["images"], root["reason"]) for root in roots],
    )
    for one in told["jobs"]:
        click.echo(_progress(one))


@click.command()
@click.option("--kind", help="exact, pixels, near, possible, or several with commas.")
@click.option("--path", help="With an image in this folder, or with this in its path.")
@click.option("--sort", type=click.Choice(["reclaimable", "size", "confidence", "date"]), default="reclaimable")
@limited
@as_json
@click.pass_context
def groups(
    context: click.Context, kind: str | None, path: str | None, sort: str, limit: int, in_json: bool
) -> None:
    """List the groups of duplicates, those with most to gain first."""
    found = list(client(context).pages("groups", limit, kind=kind, path=path, sort=sort))
    if in_json:
        terminal.print_json(found)
        return
    terminal.print_table(
        ("group", "kind", "images", "to gain", "reference"),
        [
            (
                one["id"], one["kind"], one["images"]["total"],
                terminal.bytes_in_words(one["reclaimable_bytes"]), one["images"]["items"][0]["path"],
            )
            for one in found
        ],
    )  # fmt: skip


@click.command()
@click.argument("key", metavar="ID")
@as_json
@click.pass_context
def group(context: click.Context, key: str, in_json: bool) -> None:
    """Show one group: its images and how each matches the reference."""
    told = client(context).get(at("groups", key), limit=200)
    if in_json:
        terminal.print_json(told)
        return
    click.echo(f"{told['kind']}, {terminal.bytes_in_words(told['reclaimable_bytes'])} to gain")
    keeper = (told["proposal"] or {}).get("image")
    terminal.print_table(
        ("", "kind", "bits", "size", "bytes", "path", ""),
        [
            (
                "keep" if one["id"] == keeper else "",
                "reference" if one["reference"] else one["kind"],
                "" if one["reference"] else one["distance"],
                f"{one['width']}x{one['height']}",
                terminal.bytes_in_words(one["size_bytes"]),
                one["path"],
                (one["sentence"] or {}).get("en", ""),
            )
            for one in told["images"]["items"]
        ],
    )
    for line in _proposal_in_words(told):
        click.echo(line)


def _proposal_in_words(told: Any) -> list[str]:
    """Why one image is proposed to be kept, and which match of the group is least sure."""
    lines = []
    proposal, weakest = told["proposal"], told["weakest"]
    if proposal is not None:
        steps = [
            f"{one['criterion'].replace('_', ' ')} {one['value']}".strip() + f" ({one['left']} of {one['of']} left)"
            for one in proposal["reasons"]
        ]
        tie = "; a tie but for the path" if proposal["tie"] else ""
        lines.append(f"proposed to be kept by {', '.join(steps)}{tie}")
    if weakest is not None:
        paths = {one["id"]: one["path"] for one in told["images"]["items"]}
        where = paths.get(weakest["image"], f"image {weakest['image']}")
        sure = f"{weakest['kind']}, {weakest['confidence']:.0%} sure, {weakest['distance']} bits"
        lines.append(f"weakest match: {where}, {sure}")
    return lines


@click.command()
@limited
@as_json
@click.pass_context
def problems(context: click.Context, limit: int, in_json: bool) -> None:
    """List the files that could not be read as pictures."""
    found = list(client(context).pages("problems", limit))
    if in_json:
        terminal.print_json(found)
        return
    terminal.print_table(("reason", "path", "what happened"), [(p["reason"], p["path"], p["message"]) for p in found])


@click.command()
@click.argument("folders", metavar="[ROOT]...", nargs=-1)
@click.option("--wait", is_flag=True, help="Wait until it is done.")
@as_json
@click.pass_context
def scan(context: click.Context, folders: tuple[str, ...], wait: bool, in_json: bool) -> None:
    """Have the watched folders, or some of them, walked now."""
    _start(context, "scan", {"roots": list(folders)} if folders else {}, wait, in_json)


@click.command()
@click.argument("kind", type=click.Choice(["detect", "scan", "compress"]))
@click.option("-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="For example hsize=8.")
@click.option("--wait", is_flag=True, help="Wait until it is done.")
@as_json
@click.pass_context
def run(context: click.Context, kind: str, given: tuple[str, ...], wait: bool, in_json: bool) -> None:
    """Queue a job, with parameters that differ from the settings."""
    parameters: dict[str, Any] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign:
            raise UsageError(f"{one!r} is no NAME=VALUE.", field="parameter")
        parameters[name] = parsed(value)
    _start(context, kind, parameters, wait, in_json)


@click.command()
@click.option("--state", help="queued, running, done, failed, cancelled, or several with commas.")
@limited
@as_json
@click.pass_context
def jobs(context: click.Context, state: str | None, limit: int, in_json: bool) -> None:
    """List the jobs, the newest first."""
    found = list(client(context).pages("jobs", limit, state=state))
    if in_json:
        terminal.print_json(found)
        return
    terminal.print_table(
        ("job", "kind", "state", "asked by", "progress", ""),
        [(one["id"], one["kind"], one["state"], one["origin"], _done_of(one), one["error"]) for one in found],
    )


@click.command()
@click.argument("job_id", metavar="ID", type=int)
@click.option("--wait", is_flag=True, help="Wait until it is done.")
@as_json
@click.pass_context
def job(context: click.Context, job_id: int, wait: bool, in_json: bool) -> None:
    """Show one job."""
    ask = client(context)
    tell_job(follow(ask, job_id) if wait else ask.get(at("jobs", job_id)), in_json)


@click.command()
@click.argument("job_id", metavar="ID", type=int)
@as_json
@click.pass_context
def cancel(context: click.Context, job_id: int, in_json: bool) -> None:
    """Ask a job to leave off; what it did so far is kept."""
    ask = client(context)
    ask.delete(at("jobs", job_id))
    tell_job(ask.get(at("jobs", job_id)), in_json)


@click.command("not-duplicates")
@click.argument("named", metavar="GROUP|FILE...", nargs=-1, required=True)
@click.option("--alternates", is_flag=True, help="The same scene, both wanted.")
@click.option("--note", default="", help="Why, for yourself.")
@as_json
@click.pass_context
def deny(context: click.Context, named: tuple[str, ...], alternates: bool, note: str, in_json: bool) -> None:
    """Remember that the images of a group, or two files or more, are no duplicates of one another."""
    said = {"label": "alternates" if alternates else "not_duplicates", "note": note}
    if len(named) == 1:
        told = client(context).post(at("groups", named[0], "not-duplicates"), said)
    else:
        told = client(context).post("verdicts", {**said, "paths": [os.path.abspath(path) for path in named]})
    if in_json:
        terminal.print_json(told)
    else:
        pairs = terminal.counted(told["pairs"], "pair")
        click.echo(f"remembered for {pairs}; take it back with: comparimg-ctl revoke {told['batch']}")


@click.command()
@limited
@as_json
@click.pass_context
def verdicts(context: click.Context, limit: int, in_json: bool) -> None:
    """List what was declared to be no duplicates."""
    found = list(client(context).pages("verdicts", limit))
    if in_json:
        terminal.print_json(found)
        return
    terminal.print_table(
        ("batch", "label", "first", "second", "note"),
        [
            (one["batch"], one["label"], *(", ".join(side) or "(no file now)" for side in one["paths"]), one["note"])
            for one in found
        ],
    )


@click.command()
@click.argument("batch", metavar="BATCH")
@as_json
@click.pass_context
def revoke(context: click.Context, batch: str, in_json: bool) -> None:
    """Take back what one order declared to be no duplicates."""
    told = client(context).delete(at("verdicts", batch))
    if in_json:
        terminal.print_json(told)
    else:
        click.echo(f"taken back for {terminal.counted(told['pairs'], 'pair')}")


def _start(context: click.Context, kind: str, parameters: dict[str, Any], wait: bool, in_json: bool) -> None:
    ask = client(context)
    started = ask.post("jobs", {"kind": kind, "parameters": parameters})
    tell_job(follow(ask, started["id"]) if wait else started, in_json)


def follow(ask: Any, job_id: int) -> Any:
    """Wait for a job to end, with a line of progress where a terminal is."""
    while (told := ask.get(at("jobs", job_id)))["state"] not in ENDED:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{_progress(told)}", nl=False, err=True)
        time.sleep(FOLLOW_EVERY_S)
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    return told


def tell_job(told: Any, in_json: bool) -> None:
    if in_json:
        terminal.print_json(told)
    else:
        click.echo(_progress(told))
        for name, value in told["outcome"].items():
            click.echo(f"  {name.replace('_', ' ')}: {json.dumps(value)}")
    if told["state"] == "failed":
        raise ComparImgError(f"The job failed: {told['error']}")


def _progress(told: Any) -> str:
    words = [f"job {told['id']}", told["kind"], told["state"], told["phase"], _done_of(told)]
    if told["state"] == "running" and told["left_s"] is not None:
        words.append(f"{terminal.duration_in_words(told['left_s'])} left")
    return " ".join(filter(None, words))


def _done_of(told: Any) -> str:
    if not told["total"]:
        return str(told["done"] or "")
    return f"{told['done']} of {told['total']}"


def parsed(text: str) -> Any:
    """A parameter as JSON where it is some, else as the text it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
