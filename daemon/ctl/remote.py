"""comparimg-ctl with a daemon, over REST: status, groups, jobs, verdicts."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from daemon import terminal
from daemon.console_language import console_language
from daemon.ctl.rest_path import at
from index.errors import ComparImgError, UsageError
from index.messages import Message

Function = TypeVar("Function", bound=Callable[..., Any])

SORTS = ("reclaimable", "size", "confidence", "date")
ENDED = ("done", "failed", "cancelled")
FOLLOW_EVERY_S = 0.5


def register(program: click.Group) -> None:
    for command in (status, groups, group, problems, scan, run, jobs, job, cancel, not_duplicates, verdicts, revoke):
        program.add_command(command)


def json_option(function: Function) -> Function:
    return click.option("--json", "in_json", is_flag=True, help="Print JSON.")(function)


def limit_option(function: Function) -> Function:
    return click.option("-n", "--limit", type=click.IntRange(1), default=50, help="Maximum number of rows. [50]")(
        function
    )


def client(context: click.Context) -> Any:
    """A client of the daemon at --address, or else of the configured one."""
    from daemon.client import Client
    from daemon.configuration import tokens
    from daemon.configuration.config import load

    config = load(context.obj["config"])
    # A wildcard address is reached through the loopback address, which needs no name resolution.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)
    address = context.obj["address"] or f"http://{f'[{host}]' if ':' in host else host}:{config.web.port}"
    return Client(address, tokens.client_token(config), console_language())


@click.command()
@json_option
@click.pass_context
def status(context: click.Context, in_json: bool) -> None:
    """Show the state of the service, its folders and its jobs."""
    api = client(context)
    report, roots = api.get("status"), list(api.pages("roots"))
    if in_json:
        terminal.print_json({**report, "roots": roots})
        return
    totals = report["totals"]
    dead = [name for name, lives in report["parts"].items() if not lives]
    if dead:
        terminal.say(Message("console.status_failing", version=report["version"], parts=", ".join(dead)))
    else:
        terminal.say(Message("console.status_healthy", version=report["version"]))
    terminal.say(
        Message(
            "console.totals",
            images=totals["images"],
            size=terminal.bytes_in_words(totals["size_bytes"]),
            groups=totals["groups"],
            reclaimable=terminal.bytes_in_words(totals["reclaimable_bytes"]),
            problems=totals["problems"],
        )
    )
    terminal.print_table(
        ("folder", "state", "watched", "images", ""),
        [
            (root["path"], terminal.word(root["state"]), terminal.word(root["mode"]), root["images"], root["reason"])
            for root in roots
        ],
    )
    for job in report["jobs"]:
        click.echo(_progress(job))


@click.command()
@click.option("--kind", help="Only these kinds of match: exact, pixels, near, possible; comma-separated.")
@click.option("--path", help="Only groups with an image in this folder, or with this text in its path.")
@click.option("--sort", type=click.Choice(SORTS), default="reclaimable", help="Order of the list.")
@click.option("--scenes", is_flag=True, help="List scenes instead: several pictures of one subject, none a copy.")
@click.option("--search", type=int, metavar="ID", help="The groups of a limited search (see searches list).")
@limit_option
@json_option
@click.pass_context
def groups(context: click.Context, /, scenes: bool, limit: int, in_json: bool, **chosen: Any) -> None:
    """List the groups of duplicates, most reclaimable first."""
    which = "only" if scenes else "without"
    rows = list(client(context).pages("groups", limit, scenes=which, **chosen))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("group", "kind", "images", "reclaimable", "reference"),
        [
            (
                row["id"], terminal.word(row["kind"]), row["images"]["total"],
                terminal.bytes_in_words(row["reclaimable_bytes"]), row["images"]["items"][0]["path"],
            )
            for row in rows
        ],
    )  # fmt: skip


@click.command()
@click.argument("key", metavar="ID")
@json_option
@click.pass_context
def group(context: click.Context, key: str, in_json: bool) -> None:
    """Show a group: its images, and how each matches the reference."""
    group = client(context).get(at("groups", key), limit=200)
    if in_json:
        terminal.print_json(group)
        return
    size = terminal.bytes_in_words(group["reclaimable_bytes"])
    terminal.say(Message("console.reclaimable", kind=terminal.word(group["kind"]), size=size))
    keeper = (group["proposal"] or {}).get("image")
    terminal.print_table(
        ("", "kind", "bits", "size", "bytes", "path", ""),
        [
            (
                terminal.sentence(Message("console.keep")) if image["id"] == keeper else "",
                terminal.sentence(Message("console.reference")) if image["reference"] else terminal.word(image["kind"]),
                "" if image["reference"] else image["distance"],
                f"{image['width']}x{image['height']}",
                terminal.bytes_in_words(image["size_bytes"]),
                image["path"],
                (image["sentence"] or {}).get(console_language(), ""),
            )
            for image in group["images"]["items"]
        ],
    )
    for line in _proposal_in_words(group):
        click.echo(line)


def _proposal_in_words(group: Any) -> list[str]:
    """Why the keeper is proposed, and which match of the group is the weakest."""
    lines = []
    proposal, weakest = group["proposal"], group["weakest"]
    if proposal is not None:
        steps = [
            terminal.sentence(
                Message(
                    "console.criterion",
                    name=f"{entry['criterion'].replace('_', ' ')} {entry['value']}".strip(),
                    left=entry["left"],
                    of=entry["of"],
                )
            )
            for entry in proposal["reasons"]
        ]
        code = "console.proposed_tie" if proposal["tie"] else "console.proposed"
        lines.append(terminal.sentence(Message(code, criteria=", ".join(steps))))
        if proposal["original_absent"]:
            lines.append(terminal.sentence(Message("console.original_absent")))
        named = {entry["id"]: entry["path"] for entry in group["images"]["items"]}
        for entry in proposal["speaking"]:
            first, second = (named.get(entry[side]) or _image(entry[side]) for side in ("image", "other"))
            sentence = entry["sentence"][console_language()]
            lines.append(terminal.sentence(Message("console.speaks", first=first, second=second, sentence=sentence)))
    if weakest is not None:
        paths = {entry["id"]: entry["path"] for entry in group["images"]["items"]}
        message = Message(
            "console.weakest",
            image=paths.get(weakest["image"]) or _image(weakest["image"]),
            kind=terminal.word(weakest["kind"]),
            percent=round(100 * weakest["confidence"]),
            bits=weakest["distance"],
        )
        lines.append(terminal.sentence(message))
    return lines


def _image(image: int) -> str:
    return terminal.sentence(Message("console.image", image=image))


@click.command()
@limit_option
@json_option
@click.pass_context
def problems(context: click.Context, limit: int, in_json: bool) -> None:
    """List the files that could not be read as pictures."""
    rows = list(client(context).pages("problems", limit))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("reason", "path", "message"), [(terminal.word(row["reason"]), row["path"], row["message"]) for row in rows]
    )


@click.command()
@click.argument("folders", metavar="[DIR]...", nargs=-1)
@click.option("--wait", is_flag=True, help="Wait until the job has ended.")
@json_option
@click.pass_context
def scan(context: click.Context, folders: tuple[str, ...], wait: bool, in_json: bool) -> None:
    """Scan the watched folders, or some of them, now."""
    _start(context, "scan", {"roots": list(folders)} if folders else {}, wait, in_json)


@click.command()
@click.argument("kind", type=click.Choice(["detect", "scan", "compress"]))
@click.option(
    "-p",
    "--parameter",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter, for example hsize=8; can be given more than once.",
)
@click.option("--wait", is_flag=True, help="Wait until the job has ended.")
@json_option
@click.pass_context
def run(context: click.Context, kind: str, given: tuple[str, ...], wait: bool, in_json: bool) -> None:
    """Queue a job, optionally with other parameters than the settings."""
    parameters: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            raise UsageError("ctl.no_assignment", text=text, field="parameter")
        parameters[name] = parse_value(value)
    _start(context, kind, parameters, wait, in_json)


@click.command()
@click.option("--state", help="Only these states: queued, running, done, failed, cancelled; comma-separated.")
@limit_option
@json_option
@click.pass_context
def jobs(context: click.Context, state: str | None, limit: int, in_json: bool) -> None:
    """List the jobs, newest first."""
    rows = list(client(context).pages("jobs", limit, state=state))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("job", "kind", "state", "asked by", "progress", ""),
        [
            (
                row["id"],
                terminal.word(row["kind"]),
                terminal.sentence(Message(f"job_state.{row['state']}")),
                terminal.word(row["origin"]),
                _done_of(row),
                row["error"],
            )
            for row in rows
        ],
    )


@click.command()
@click.argument("job_id", metavar="ID", type=int)
@click.option("--wait", is_flag=True, help="Wait until the job has ended.")
@json_option
@click.pass_context
def job(context: click.Context, job_id: int, wait: bool, in_json: bool) -> None:
    """Show a job."""
    api = client(context)
    print_job(follow(api, job_id) if wait else api.get(at("jobs", job_id)), in_json)


@click.command()
@click.argument("job_id", metavar="ID", type=int)
@json_option
@click.pass_context
def cancel(context: click.Context, job_id: int, in_json: bool) -> None:
    """Cancel a job. What it has done so far is kept."""
    api = client(context)
    api.delete(at("jobs", job_id))
    print_job(api.get(at("jobs", job_id)), in_json)


@click.command("not-duplicates")
@click.argument("named", metavar="GROUP|FILE...", nargs=-1, required=True)
@click.option("--alternates", is_flag=True, help="They are alternates of one scene, all worth keeping.")
@click.option("--note", default="", help="A note for yourself.")
@json_option
@click.pass_context
def not_duplicates(context: click.Context, named: tuple[str, ...], alternates: bool, note: str, in_json: bool) -> None:
    """Record that the images of a group, or some files, are not duplicates."""
    body = {"label": "alternates" if alternates else "not_duplicates", "note": note}
    if len(named) == 1:
        answer = client(context).post(at("groups", named[0], "not-duplicates"), body)
    else:
        answer = client(context).post("verdicts", {**body, "paths": [os.path.abspath(path) for path in named]})
    if in_json:
        terminal.print_json(answer)
    else:
        terminal.say(Message("console.verdict_stored", pairs=answer["pairs"]))
        terminal.say(Message("console.revoke_with", command=f"comparimg-ctl revoke {answer['batch']}"))


@click.command()
@limit_option
@json_option
@click.pass_context
def verdicts(context: click.Context, limit: int, in_json: bool) -> None:
    """List the pairs declared not to be duplicates."""
    rows = list(client(context).pages("verdicts", limit))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("batch", "label", "first", "second", "note"),
        [
            (
                row["batch"],
                terminal.word(row["label"]),
                *(", ".join(side) or terminal.sentence(Message("console.no_file_now")) for side in row["paths"]),
                row["note"],
            )
            for row in rows
        ],
    )


@click.command()
@click.argument("batch", metavar="BATCH")
@json_option
@click.pass_context
def revoke(context: click.Context, batch: str, in_json: bool) -> None:
    """Revoke the verdicts of a batch (see verdicts)."""
    answer = client(context).delete(at("verdicts", batch))
    if in_json:
        terminal.print_json(answer)
    else:
        terminal.say(Message("console.revoked_pairs", pairs=answer["pairs"]))


def _start(context: click.Context, kind: str, parameters: dict[str, Any], wait: bool, in_json: bool) -> None:
    api = client(context)
    started = api.post("jobs", {"kind": kind, "parameters": parameters})
    print_job(follow(api, started["id"]) if wait else started, in_json)


def follow(api: Any, job_id: int) -> Any:
    """Wait until a job ends. On a terminal, a line shows its progress."""
    while (job := api.get(at("jobs", job_id)))["state"] not in ENDED:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{_progress(job)}", nl=False, err=True)
        time.sleep(FOLLOW_EVERY_S)
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    return job


def effect_of_job(api: Any, address: str, body: dict[str, Any], **query: Any) -> Any:
    """Run a job and return what it decided or counted. Raises ComparImgError if the job did not finish."""
    job = follow(api, api.post(address, body, **query)["id"])
    if job["state"] != "done":
        raise ComparImgError("ctl.job_failed", problem=job["error"] or job["state"])
    return job["outcome"]


def print_job(job: Any, in_json: bool) -> None:
    if in_json:
        terminal.print_json(job)
    else:
        click.echo(_progress(job))
        for name, value in job["outcome"].items():
            terminal.say(Message("console.outcome", name=terminal.figure(name), value=json.dumps(value)))
    if job["state"] == "failed":
        raise ComparImgError("ctl.job_failed", problem=job["error"])


def _progress(job: Any) -> str:
    state = Message(f"job_state.{job['state']}")
    parts = [terminal.sentence(Message("console.job", job=job["id"], kind=terminal.word(job["kind"]), state=state))]
    if job["state"] == "running":
        phase = terminal.sentence(Message(f"phase.{job['phase']}")) if job["phase"] else ""
        left_s = job["left_s"]
        left = None if left_s is None else Message("console.left", time=terminal.duration_in_words(left_s))
        parts += [phase, _done_of(job), terminal.sentence(left)]
    return ", ".join(filter(None, parts))


def _done_of(job: Any) -> str:
    if not job["total"]:
        return str(job["done"] or "")
    return terminal.sentence(Message("console.of", done=job["done"], total=job["total"]))


def parse_value(text: str) -> Any:
    """A parameter parsed as JSON, or the text itself if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
