"""comparimg-ctl with a daemon: decide, by hand and by rule; carry out, undo; the trash."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from daemon import terminal
from daemon.ctl.remote import as_json, client, follow, limited, tell_job
from daemon.ctl.rest_path import at
from index.errors import ComparImgError, NoDaemon, UsageError

Function = TypeVar("Function", bound=Callable[..., Any])

# Digits of the largest number that the index can hold.
LONGEST_NUMBER = 19
CHOICES = ("keep", "trash", "move", "link", "undecided")


class Days(click.FloatRange):
    """A number of days; nan, which is in every range to click, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        days: float = super().convert(value, param, ctx)
        if math.isnan(days):
            self.fail(f"{value!r} is not a number of days.", param, ctx)
        return days


def register(program: click.Group) -> None:
    for command in (decide, rules, sort, batches, batch, undo, trash):
        program.add_command(command)


def waiting(function: Function) -> Function:
    return click.option("--wait", is_flag=True, help="Wait until it is done.")(function)


# Deciding


@click.command()
@click.argument("key", metavar="GROUP")
@click.argument("wanted", metavar="[IMAGE=CHOICE]...", nargs=-1)
@click.option("--proposed", is_flag=True, help="Keep the image that is proposed, put the others in the trash.")
@click.option("--clear", is_flag=True, help="Make every image of the group undecided.")
@as_json
@click.pass_context
def decide(
    context: click.Context, key: str, wanted: tuple[str, ...], proposed: bool, clear: bool, in_json: bool
) -> None:
    """Decide what becomes of a group's images: 12=keep 13=trash 14=link 15=move:NAME 16=undecided.

    Without any, the decisions are shown. Nothing happens to a file until `comparimg-ctl sort`.
    """
    ask = client(context)
    if bool(wanted) + proposed + clear > 1:
        raise UsageError("Name images, or --proposed, or --clear.")
    decisions = [_wanted(one) for one in wanted]
    if proposed or clear:
        told = ask.get(at("groups", key), limit=200)
        kept = told["proposal"]["image"] if told["proposal"] else None
        decisions = [
            {"image": image["id"], "choice": "undecided" if clear else _proposed(image, kept)}
            for image in _every_image(ask, key, told)
        ]
    answer = (
        ask.put(at("groups", key, "decisions"), {"decisions": decisions})
        if decisions
        else ask.get(at("groups", key, "decisions"))
    )
    if in_json:
        terminal.print_json(answer)
        return
    click.echo(f"decided: {answer['decided']}")
    terminal.print_table(
        ("image", "choice", "to", "by"),
        [(one["image"], one["choice"], one["destination"] or "", _by(one)) for one in answer["items"]],
    )


def _wanted(text: str) -> dict[str, Any]:
    image, sign, choice = text.partition("=")
    choice, _, destination = choice.partition(":")
    if not sign or not image.isdecimal() or len(image) > LONGEST_NUMBER or choice not in CHOICES:
        raise UsageError(f"{text!r} is no IMAGE=CHOICE: 12=keep, 12=trash, 12=link, 12=move:NAME, 12=undecided.")
    return {"image": int(image), "choice": choice, **({"destination": destination} if destination else {})}


def _proposed(image: Any, kept: int | None) -> str:
    return "keep" if image["id"] == kept or image["protected"] else "trash"


def _every_image(ask: Any, key: str, told: Any) -> list[Any]:
    images = list(told["images"]["items"])
    cursor = told["images"]["next"]
    while cursor:
        page = ask.get(at("groups", key), limit=200, cursor=cursor)["images"]
        images += page["items"]
        cursor = page["next"]
    return images


def _by(one: Any) -> str:
    by = f"a rule ({one['criterion']})" if one["origin"] == "rule" else "you"
    return f"{by}, stale: the file changed since" if one["stale"] else by


# Rules


@click.group()
def rules() -> None:
    """Decide about many groups at once, by ordered criteria or by folders."""


def ruled(function: Function) -> Function:
    for option in (
        click.option("--choice", type=click.Choice(["trash", "move", "link"]), default="trash", show_default=True),
        click.option("--to", metavar="NAME", help="The destination, for move."),
        click.option("--kind", default="exact,pixels,near", show_default=True, help="Match kinds, with commas."),
        click.option("--criteria", help="What decides which image stays, the first first, with commas. [sort.rules]"),
        click.option("--ties", type=click.Choice(["ask", "decide"]), default="ask", show_default=True,
                     help="Where only the path differs: leave it to you, or decide by it."),
        click.option("--keep", metavar="DIR", help="What is in this folder stays, with --give-way."),
        click.option("--give-way", metavar="DIR", help="What is in this folder gives way to it."),
        click.option("--path", metavar="DIR", help="Only groups with an image in this folder."),
    ):  # fmt: skip
        function = option(function)
    return function


@rules.command("preview")
@ruled
@as_json
@click.pass_context
def rules_preview(context: click.Context, /, in_json: bool, **given: Any) -> None:
    """Tell what a rule would decide."""
    _tell_effect(client(context).post("rules/preview", _rule(**given)), in_json, "would decide")


@rules.command("apply")
@ruled
@as_json
@click.pass_context
def rules_apply(context: click.Context, /, in_json: bool, **given: Any) -> None:
    """Decide by a rule. No file is touched until `comparimg-ctl sort`."""
    told = client(context).post("rules/apply", _rule(**given))
    _tell_effect(told, in_json, "decided")
    if not in_json:
        click.echo(f"take it back with: comparimg-ctl rules revoke {told['order']}")


@rules.command("list")
@limited
@as_json
@click.pass_context
def rules_list(context: click.Context, limit: int, in_json: bool) -> None:
    """List the rules that were applied, the newest first."""
    found = list(client(context).pages("orders", limit))
    if in_json:
        terminal.print_json(found)
        return
    terminal.print_table(
        ("order", "when", "choice", "groups", "images", "not carried out"),
        [(one["id"], one["created"], one["rule"]["choice"], one["groups"], one["images"], one["open"])
         for one in found],
    )  # fmt: skip


@rules.command("revoke")
@click.argument("order", metavar="ORDER", type=int)
@as_json
@click.pass_context
def rules_revoke(context: click.Context, order: int, in_json: bool) -> None:
    """Take back what a rule decided, as far as it is not carried out."""
    told = client(context).delete(at("orders", order))
    if in_json:
        terminal.print_json(told)
    else:
        click.echo(f"took back {terminal.counted(told['decisions'], 'decision')}")


def _rule(
    choice: str, to: str | None, kind: str, criteria: str | None, ties: str, keep: str | None, give_way: str | None,
    path: str | None,
) -> dict[str, Any]:  # fmt: skip
    if bool(keep) != bool(give_way):
        raise UsageError("--keep and --give-way go together.")
    body: dict[str, Any] = {"choice": choice, "ties": ties, "kinds": _words(kind)}
    if to:
        body["destination"] = to
    if criteria:
        body["criteria"] = _words(criteria)
    if keep:
        body["folders"] = {"keep": keep, "give_way": give_way}
    if path:
        body["filter"] = {"path": path}
    return body


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _tell_effect(told: Any, in_json: bool, word: str) -> None:
    if in_json:
        terminal.print_json(told)
        return
    size = terminal.bytes_in_words(told["bytes"])
    groups, images = terminal.counted(told["groups"], "group"), terminal.counted(told["images"], "image")
    click.echo(f"{word} {groups}: {images}, {size}")
    if told["undecided_ties"]:
        click.echo(f"{terminal.counted(told['undecided_ties'], 'tie')} left to you")
    for name, number in sorted(told["by_criterion"].items(), key=lambda one: -one[1]):
        click.echo(f"  by {name}: {number}")
    for one in told["sample"]:
        value = f" {one['value']}" if one["value"] else ""
        click.echo(f"{one['group']}  keeps {terminal.printable(one['keeper']['path'])} ({one['decided_by']}{value})")
        for victim in one["victims"]:
            click.echo(f"    not {terminal.printable(victim['path'])}")


# Carrying out


@click.command()
@click.argument("groups", metavar="[GROUP]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only tell every step, and touch nothing.")
@waiting
@as_json
@click.pass_context
def sort(context: click.Context, groups: tuple[str, ...], dry_run: bool, wait: bool, in_json: bool) -> None:
    """Carry out what is decided: all of it, or for some groups."""
    ask = client(context)
    parameters: dict[str, Any] = {"groups": list(groups)} if groups else {}
    if dry_run:
        parameters["dry_run"] = True
    started = ask.post("jobs", {"kind": "sort", "parameters": parameters})
    if not (wait or dry_run):
        tell_job(started, in_json)
        return
    told = follow(ask, started["id"])
    tell_job(told, in_json)
    if in_json or "batch" not in told["outcome"]:
        return
    _tell_steps(ask, told["outcome"]["batch"], None if dry_run else "refused,failed,doing")
    if not dry_run:
        click.echo(f"undo it with: comparimg-ctl undo {told['outcome']['batch']}")


@click.command()
@limited
@as_json
@click.pass_context
def batches(context: click.Context, limit: int, in_json: bool) -> None:
    """List what was planned, carried out and undone, the newest first."""
    found = list(client(context).pages("batches", limit))
    if in_json:
        terminal.print_json(found)
        return
    terminal.print_table(
        ("batch", "kind", "state", "when", "steps", "bytes", "can be undone"),
        [
            (one["id"], one["kind"], one["state"], one["created"], _counts(one["states"]),
             terminal.bytes_in_words(one["bytes"]), one["undoable"] or "")
            for one in found
        ],
    )  # fmt: skip


@click.command()
@click.argument("batch_id", metavar="ID", type=int)
@click.option("--state", help="Steps in these states only: done, refused, failed, ... with commas.")
@as_json
@click.pass_context
def batch(context: click.Context, batch_id: int, state: str | None, in_json: bool) -> None:
    """Show one batch with its steps."""
    ask = client(context)
    told = ask.get(at("batches", batch_id), limit=1)
    if in_json:
        terminal.print_json({**told, "steps": list(_steps(ask, batch_id, state))})
        return
    click.echo(f"batch {told['id']} {told['kind']} {told['state']}: {_counts(told['states'])}")
    _tell_steps(ask, batch_id, state)


@click.command()
@click.argument("batch_id", metavar="[BATCH]", type=int, required=False)
@click.option("--step", "steps", type=int, multiple=True, help="Only this step; may be given again.")
@click.option("--dry-run", is_flag=True, help="Only tell what would come back.")
@click.option("--one-shot", is_flag=True, help="What `comparimg-ctl compress` did without a daemon.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where that is remembered.")
@waiting
@as_json
@click.pass_context
def undo(
    context: click.Context,
    batch_id: int | None,
    steps: tuple[int, ...],
    dry_run: bool,
    one_shot: bool,
    data_dir: Path | None,
    wait: bool,
    in_json: bool,
) -> None:
    """Undo a batch, the last one where none is named, or some of its steps.

    Without a daemon, and with --one-shot: what `comparimg-ctl compress` did.
    """
    from daemon.ctl import compress

    if not (one_shot or data_dir is not None):
        try:
            _undo(client(context), batch_id, steps, dry_run, wait, in_json)
        except NoDaemon as error:
            if not compress.was_used():
                raise
            click.echo(f"{error.message} So this is about what was compressed without one.", err=True)
        else:
            return
    compress.undo_alone(context, batch_id, steps, dry_run, in_json, data_dir)


def _undo(ask: Any, batch_id: int | None, steps: tuple[int, ...], dry_run: bool, wait: bool, in_json: bool) -> None:
    if batch_id is None:
        batch_id = next((one["id"] for one in ask.pages("batches") if one["undoable"]), None)
        if batch_id is None:
            raise ComparImgError("There is nothing to undo.")
    if dry_run:
        found = [step for step in _steps(ask, batch_id, "done") if not steps or step["id"] in steps]
        if in_json:
            terminal.print_json(found)
        else:
            _print_steps(found)
        return
    started = ask.post(at("batches", batch_id, "undo"), {"steps": list(steps)})
    tell_job(follow(ask, started["id"]) if wait else started, in_json)


def _steps(ask: Any, batch_id: int, state: str | None) -> Any:
    cursor = None
    while True:
        page = ask.get(at("batches", batch_id), limit=200, cursor=cursor, state=state)["steps"]
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def _tell_steps(ask: Any, batch_id: int, state: str | None) -> None:
    found = list(_steps(ask, batch_id, state))
    if found:
        _print_steps(found)


def _print_steps(steps: list[Any]) -> None:
    terminal.print_table(
        ("step", "action", "state", "bytes", "path", "to", ""),
        [
            (one["id"], one["action"], one["state"], terminal.bytes_in_words(one["bytes"]), one["path"],
             one["target"] or "", one["message"] or "")
            for one in steps
        ],
    )  # fmt: skip


def _counts(states: Any) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none"


# The trash


@click.group()
def trash() -> None:
    """What was put in the trash: list it, bring it back, remove it for good."""


@trash.command("list")
@limited
@as_json
@click.pass_context
def trash_list(context: click.Context, limit: int, in_json: bool) -> None:
    """List what is in the trash, the newest first."""
    found = list(client(context).pages("trash", limit))
    if in_json:
        terminal.print_json(found)
        return
    terminal.print_table(
        ("item", "trashed", "bytes", "from"),
        [(one["id"], one["trashed"], terminal.bytes_in_words(one["bytes"]), one["path"]) for one in found],
    )


@trash.command("restore")
@click.argument("item", metavar="ID", type=int)
@click.option("--dry-run", is_flag=True, help="Only tell where it would come back to.")
@waiting
@as_json
@click.pass_context
def trash_restore(context: click.Context, item: int, dry_run: bool, wait: bool, in_json: bool) -> None:
    """Bring one file back to where it was, or beside it where something else is there."""
    ask = client(context)
    if dry_run:
        told = next((one for one in ask.pages("trash") if one["id"] == item), None)
        if told is None:
            raise ComparImgError(f"There is no item {item} in the trash.")
        if in_json:
            terminal.print_json(told)
        else:
            click.echo(f"{terminal.printable(told['place'])} would come back to {terminal.printable(told['path'])}")
        return
    started = ask.post(at("trash", item, "restore"), {})
    tell_job(follow(ask, started["id"]) if wait else started, in_json)


@trash.command("empty")
@click.option("--older-than", metavar="DAYS", type=Days(0, 36500), help="[sort.retention]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only tell how much would be removed.")
@waiting
@as_json
@click.pass_context
def trash_empty(
    context: click.Context, older_than: float | None, yes: bool, dry_run: bool, wait: bool, in_json: bool
) -> None:
    """Remove files from the trash for good. This cannot be undone."""
    ask = client(context)
    if older_than is None:
        settings = {one["key"]: one["value"] for one in ask.pages("settings")}
        older_than = float(settings["sort.retention"])
    found = [one for one in ask.pages("trash") if one["age_days"] >= older_than]
    size = sum(one["bytes"] for one in found)
    told = f"{terminal.counted(len(found), 'file')} ({terminal.bytes_in_words(size)}) for good"
    if dry_run:
        if in_json:
            terminal.print_json({"items": len(found), "bytes": size})
        else:
            click.echo(f"would remove {told}")
        return
    if not yes:
        click.confirm(f"Remove {told}?", abort=True, err=True)
    started = ask.post("trash/empty", {"confirm": True, "older_than_days": older_than})
    tell_job(follow(ask, started["id"]) if wait else started, in_json)
