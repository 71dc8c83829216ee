"""comparimg-ctl with a daemon: decisions, by hand and by rule; sorting and undo; the trash."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from daemon import terminal
from daemon.console_language import console_language
from daemon.ctl.path_type import PATH
from daemon.ctl.remote import client, effect_of_job, follow, json_option, limit_option, print_job
from daemon.ctl.rest_path import at
from daemon.ctl.trash_recover import recover
from daemon.help_language import translated
from index.errors import ComparImgError, NoDaemon, UsageError
from index.messages import Message

Function = TypeVar("Function", bound=Callable[..., Any])

# The number of digits of the largest number that the index can store.
LONGEST_NUMBER = 19
# The number of groups that a preview shows.
SAMPLES = 12
CHOICES = ("keep", "trash", "move", "link", "undecided")


class Days(click.FloatRange):
    """A number of days. NaN, which click accepts in any range, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        days: float = super().convert(value, param, ctx)
        if math.isnan(days):
            self.fail(
                translated(console_language(), "{value!r} is not a number of days.").format(value=value), param, ctx
            )
        return days


def register(program: click.Group) -> None:
    for command in (decide, rules, sort, batches, batch, undo, trash):
        program.add_command(command)
    trash.add_command(recover)


def wait_option(function: Function) -> Function:
    return click.option("--wait", is_flag=True, help="Wait until the job has ended.")(function)


# Deciding


@click.command()
@click.argument("key", metavar="GROUP")
@click.argument("wanted", metavar="[IMAGE=CHOICE]...", nargs=-1)
@click.option("--proposed", is_flag=True, help="Keep the proposed image, put the others in the trash.")
@click.option("--clear", is_flag=True, help="Clear the decisions on the group.")
@json_option
@click.pass_context
def decide(
    context: click.Context, key: str, wanted: tuple[str, ...], proposed: bool, clear: bool, in_json: bool
) -> None:
    """Decide on the images of a group, for example 12=keep 13=trash.

    The choices are keep, trash, link, move:NAME and undecided. Without one, the decisions are shown. No file is
    changed until `comparimg-ctl sort`.
    """
    api = client(context)
    if bool(wanted) + proposed + clear > 1:
        raise UsageError("ctl.what_to_decide")
    decisions = [_parse_decision(item) for item in wanted]
    if proposed or clear:
        group = api.get(at("groups", key), limit=200)
        kept = group["proposal"]["image"] if group["proposal"] else None
        decisions = [
            {"image": image["id"], "choice": "undecided" if clear else _proposed_choice(image, kept)}
            for image in _all_images(api, key, group)
        ]
    answer = (
        api.put(at("groups", key, "decisions"), {"decisions": decisions})
        if decisions
        else api.get(at("groups", key, "decisions"))
    )
    if in_json:
        terminal.print_json(answer)
        return
    terminal.say(Message("console.decided_group", state=terminal.word(answer["decided"])))
    terminal.print_table(
        ("image", "choice", "to", "by"),
        [
            (item["image"], terminal.word(item["choice"]), item["destination"] or "", _decided_by(item))
            for item in answer["items"]
        ],
    )


def _parse_decision(text: str) -> dict[str, Any]:
    image, sign, choice = text.partition("=")
    choice, _, destination = choice.partition(":")
    if not sign or not image.isdecimal() or len(image) > LONGEST_NUMBER or choice not in CHOICES:
        raise UsageError("ctl.no_decision", text=text)
    return {"image": int(image), "choice": choice, **({"destination": destination} if destination else {})}


def _proposed_choice(image: Any, kept: int | None) -> str:
    return "keep" if image["id"] == kept or image["protected"] else "trash"


def _all_images(api: Any, key: str, group: Any) -> list[Any]:
    images = list(group["images"]["items"])
    cursor = group["images"]["next"]
    while cursor:
        page = api.get(at("groups", key), limit=200, cursor=cursor)["images"]
        images += page["items"]
        cursor = page["next"]
    return images


def _decided_by(decision: Any) -> str:
    is_rule = decision["origin"] == "rule"
    who = Message("console.by_rule", criterion=decision["criterion"]) if is_rule else Message("console.by_you")
    return terminal.sentence(Message("console.stale", who=who) if decision["stale"] else who)


# Rules


@click.group()
def rules() -> None:
    """Decide on many groups at once, by criteria or by folders."""


def rule_options(function: Function) -> Function:
    for option in (
        click.option("--choice", type=click.Choice(["trash", "move", "link"]), default="trash", show_default=True,
                     help="What to do with the images that are not kept."),
        click.option("--to", metavar="NAME", help="The destination, with --choice move."),
        click.option("--kind", default="exact,pixels", show_default=True, help="Kinds of match, comma-separated."),
        click.option("--criteria",
                     help="Criteria for the image to keep, comma-separated, highest priority first. [sort.rules]"),
        click.option("--ties", type=click.Choice(["ask", "decide"]), default="ask", show_default=True,
                     help="If only the path differs: leave the group undecided, or decide by path."),
        click.option("--keep", metavar="DIR", help="With --give-way: keep the images in this folder."),
        click.option("--give-way", metavar="DIR", help="With --keep: do not keep the images in this folder."),
        click.option("--path", metavar="DIR", help="Only groups with an image in this folder."),
        click.option("--trashed-before", is_flag=True,
                     help="Only files that were put in the trash before and came back."),
    ):  # fmt: skip
        function = option(function)
    return function


@rules.command("preview")
@rule_options
@click.option("--exact", is_flag=True, help="Count all groups instead of estimating.")
@json_option
@click.pass_context
def rules_preview(context: click.Context, /, in_json: bool, exact: bool, **given: Any) -> None:
    """Show what a rule would decide.

    For more than 10,000 groups, the numbers are estimated from 5,000 of them.
    """
    api, rule = client(context), _rule(**given)
    effect = api.post("rules/preview", rule)
    if exact and _is_estimated(effect):
        effect = effect_of_job(api, "rules/jobs", {**rule, "dry_run": True})
    _print_effect(effect, in_json, "console.would_decide")


@rules.command("apply")
@rule_options
@json_option
@click.pass_context
def rules_apply(context: click.Context, /, in_json: bool, **given: Any) -> None:
    """Decide by a rule.

    No file is changed until `comparimg-ctl sort`. For more than 10,000 groups, this is a job; cancelling it revokes
    its decisions.
    """
    api, rule = client(context), _rule(**given)
    if _is_estimated(api.post("rules/preview", rule)):
        answer = effect_of_job(api, "rules/jobs", rule)
    else:
        answer = api.post("rules/apply", rule)
    _print_effect(answer, in_json, "console.decided")
    if not in_json:
        terminal.say(Message("console.revoke_with", command=f"comparimg-ctl rules revoke {answer['order']}"))


@rules.command("list")
@limit_option
@json_option
@click.pass_context
def rules_list(context: click.Context, limit: int, in_json: bool) -> None:
    """List the rules and bulk decisions applied, newest first."""
    rows = list(client(context).pages("orders", limit))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("order", "when", "choice", "groups", "images", "not applied"),
        [(row["id"], row["created"], terminal.word(row["rule"].get("choice") or row["rule"]["action"]), row["groups"],
          row["images"], row["open"]) for row in rows],
    )  # fmt: skip


@rules.command("revoke")
@click.argument("order", metavar="ID", type=int)
@json_option
@click.pass_context
def rules_revoke(context: click.Context, order: int, in_json: bool) -> None:
    """Revoke the decisions of a rule that are not applied yet."""
    answer = client(context).delete(at("orders", order))
    if in_json:
        terminal.print_json(answer)
    else:
        terminal.say(Message("console.revoked_decisions", n=answer["decisions"]))


def _rule(
    choice: str, to: str | None, kind: str, criteria: str | None, ties: str, keep: str | None, give_way: str | None,
    path: str | None, trashed_before: bool,
) -> dict[str, Any]:  # fmt: skip
    if bool(keep) != bool(give_way):
        raise UsageError("ctl.keep_and_give_way")
    body: dict[str, Any] = {"choice": choice, "ties": ties, "kinds": _split_list(kind)}
    if to:
        body["destination"] = to
    if criteria:
        body["criteria"] = _split_list(criteria)
    if keep:
        body["folders"] = {"keep": keep, "give_way": give_way}
    if path:
        body["filter"] = {"path": path}
    if trashed_before:
        body["trashed_before"] = True
    return body


def _split_list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _is_estimated(effect: Any) -> bool:
    return bool(effect["looked_at"] < effect["selected"])


def _print_effect(effect: Any, in_json: bool, code: str) -> None:
    if in_json:
        terminal.print_json(effect)
        return
    size = terminal.bytes_in_words(effect["bytes"])
    code = "console.would_decide_about" if _is_estimated(effect) else code
    terminal.say(Message(code, groups=effect["groups"], images=effect["images"], size=size))
    if _is_estimated(effect):
        terminal.say(Message("console.estimated", looked_at=effect["looked_at"], selected=effect["selected"]))
    if effect["undecided_ties"]:
        terminal.say(Message("console.ties", n=effect["undecided_ties"]))
    for name, number in sorted(effect["by_criterion"].items(), key=lambda entry: -entry[1]):
        terminal.say(Message("console.by_criterion", name=name, n=number))
    for group in effect["sample"][:SAMPLES]:
        why = f"{group['decided_by']} {group['value'] or ''}".strip()
        terminal.say(Message("console.keeps", group=group["group"], path=group["keeper"]["path"], why=why))
        for victim in group["victims"]:
            terminal.say(Message("console.keeps_not", path=victim["path"]))


# Carrying out


@click.command()
@click.argument("groups", metavar="[GROUP]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show every step without changing any file.")
@wait_option
@json_option
@click.pass_context
def sort(context: click.Context, groups: tuple[str, ...], dry_run: bool, wait: bool, in_json: bool) -> None:
    """Apply the decisions to the files, for all groups or for some."""
    api = client(context)
    parameters: dict[str, Any] = {"groups": list(groups)} if groups else {}
    if dry_run:
        parameters["dry_run"] = True
    started = api.post("jobs", {"kind": "sort", "parameters": parameters})
    if not (wait or dry_run):
        print_job(started, in_json)
        return
    job = follow(api, started["id"])
    print_job(job, in_json)
    if in_json or "batch" not in job["outcome"]:
        return
    _print_step_report(api, job["outcome"]["batch"], None if dry_run else "refused,failed,doing")
    if not dry_run:
        terminal.say(Message("console.undo_with", command=f"comparimg-ctl undo {job['outcome']['batch']}"))


@click.command()
@limit_option
@json_option
@click.pass_context
def batches(context: click.Context, limit: int, in_json: bool) -> None:
    """List the batches: planned, applied and undone, newest first."""
    rows = list(client(context).pages("batches", limit))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("batch", "kind", "state", "when", "steps", "bytes", "undoable"),
        [
            (row["id"], terminal.word(row["kind"]), terminal.word(row["state"]), row["created"], _counts(row["states"]),
             terminal.bytes_in_words(row["bytes"]), row["undoable"] or "")
            for row in rows
        ],
    )  # fmt: skip


@click.command()
@click.argument("batch_id", metavar="ID", type=int)
@click.option("--state", help="Only steps in these states: done, refused, failed and so on; comma-separated.")
@json_option
@click.pass_context
def batch(context: click.Context, batch_id: int, state: str | None, in_json: bool) -> None:
    """Show one batch with its steps."""
    api = client(context)
    report = api.get(at("batches", batch_id), limit=1)
    if in_json:
        terminal.print_json({**report, "steps": list(_steps(api, batch_id, state))})
        return
    kind, state = terminal.word(report["kind"]), terminal.word(report["state"])
    terminal.say(Message("console.batch", batch=report["id"], kind=kind, state=state, steps=_counts(report["states"])))
    _print_step_report(api, batch_id, state)


@click.command()
@click.argument("batch_id", metavar="[BATCH]", type=int, required=False)
@click.option("--step", "steps", type=int, multiple=True, help="Only this step; can be given more than once.")
@click.option("--decide-again", is_flag=True, help="Clear the decisions as well, so that the groups are undecided.")
@click.option("--dry-run", is_flag=True, help="Show what would be restored, without restoring it.")
@click.option("--one-shot", is_flag=True, help="Undo `comparimg-ctl compress`, which runs without a service.")
@click.option("--data-dir", type=PATH, help="The --data-dir of that compression.")
@wait_option
@json_option
@click.pass_context
def undo(
    context: click.Context,
    batch_id: int | None,
    steps: tuple[int, ...],
    decide_again: bool,
    dry_run: bool,
    one_shot: bool,
    data_dir: Path | None,
    wait: bool,
    in_json: bool,
) -> None:
    """Undo a batch, by default the last one, or some of its steps.

    With --one-shot, and if no service is running, this undoes `comparimg-ctl compress`.
    """
    from daemon.ctl import compress

    if not (one_shot or data_dir is not None):
        try:
            _undo(client(context), batch_id, steps, decide_again, dry_run, wait, in_json)
        except NoDaemon as error:
            if not compress.was_used():
                raise
            click.echo(terminal.sentence(Message("ctl.without_daemon", problem=error.message)), err=True)
        else:
            return
    compress.undo_local(context, batch_id, steps, dry_run, in_json, data_dir)


def _undo(
    api: Any,
    batch_id: int | None,
    steps: tuple[int, ...],
    decide_again: bool,
    dry_run: bool,
    wait: bool,
    in_json: bool,
) -> None:
    if batch_id is None:
        batch_id = next((row["id"] for row in api.pages("batches") if row["undoable"]), None)
        if batch_id is None:
            raise ComparImgError("batch.nothing_to_undo")
    if dry_run:
        planned = [step for step in _steps(api, batch_id, "done") if not steps or step["id"] in steps]
        if in_json:
            terminal.print_json(planned)
        else:
            _print_steps(planned)
        return
    started = api.post(at("batches", batch_id, "undo"), {"steps": list(steps), "decide_again": decide_again})
    print_job(follow(api, started["id"]) if wait else started, in_json)


def _steps(api: Any, batch_id: int, state: str | None) -> Any:
    cursor = None
    while True:
        page = api.get(at("batches", batch_id), limit=200, cursor=cursor, state=state)["steps"]
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def _print_step_report(api: Any, batch_id: int, state: str | None) -> None:
    steps = list(_steps(api, batch_id, state))
    if steps:
        _print_steps(steps)


def _print_steps(steps: list[Any]) -> None:
    terminal.print_table(
        ("step", "action", "state", "bytes", "path", "to", ""),
        [
            (step["id"], terminal.word(step["action"]), terminal.word(step["state"]),
             terminal.bytes_in_words(step["bytes"]), step["path"], step["target"] or "", step["message"] or "")
            for step in steps
        ],
    )  # fmt: skip


def _counts(states: Any) -> str:
    counts = (
        terminal.sentence(Message("console.counted", n=number, what=terminal.word(state)))
        for state, number in sorted(states.items())
    )
    return ", ".join(counts) or terminal.sentence(Message("console.none"))


# The trash


@click.group()
def trash() -> None:
    """The trash: list its files, restore them, delete them permanently."""


@trash.command("list")
@limit_option
@json_option
@click.pass_context
def trash_list(context: click.Context, limit: int, in_json: bool) -> None:
    """List the files in the trash, newest first."""
    rows = list(client(context).pages("trash", limit))
    if in_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        ("item", "trashed", "bytes", "from"),
        [(row["id"], row["trashed"], terminal.bytes_in_words(row["bytes"]), row["path"]) for row in rows],
    )


@trash.command("restore")
@click.argument("item", metavar="ID", type=int)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation, even if it is restored to another place.")
@click.option("--dry-run", is_flag=True, help="Show where it would be restored, without restoring it.")
@wait_option
@json_option
@click.pass_context
def trash_restore(context: click.Context, item: int, yes: bool, dry_run: bool, wait: bool, in_json: bool) -> None:
    """Restore a file to its place, or next to it if the place is taken.

    Some files are known only from the manifest of their trash. If the manifest names a place outside the folder that
    holds the trash, the file is restored into that folder, after confirmation.
    """
    api = client(context)
    entry = next(iter(api.get("trash", item=item)["items"]), None) if item > 0 else None
    if entry is None:
        raise ComparImgError("trash.unknown_item", item=item)
    target = entry["restore_to"]
    if dry_run:
        if in_json:
            terminal.print_json(entry)
        else:
            code = "console.would_restore_confirmed" if entry["needs_confirmation"] else "console.would_restore"
            terminal.say(Message(code, place=entry["place"], target=target))
        return
    if entry["needs_confirmation"] and not yes:
        adopted = Message("console.confirm_adopted", path=entry["path"], target=target)
        former = Message("console.confirm_former", target=target)
        terminal.say(adopted if entry["adopted"] else former, to_stderr=True)
        click.confirm(terminal.sentence(Message("console.confirm_restore")), abort=True, err=True)
    started = api.post(at("trash", item, "restore"), {"confirm": entry["needs_confirmation"]})
    print_job(follow(api, started["id"]) if wait else started, in_json)


@trash.command("empty")
@click.option(
    "--older-than",
    metavar="DAYS",
    type=Days(0, 36500),
    help="Only files that have been in the trash longer than this. [sort.retention]",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, without deleting it.")
@wait_option
@json_option
@click.pass_context
def trash_empty(
    context: click.Context, older_than: float | None, yes: bool, dry_run: bool, wait: bool, in_json: bool
) -> None:
    """Delete files in the trash permanently. This cannot be undone."""
    api = client(context)
    if older_than is None:
        settings = {entry["key"]: entry["value"] for entry in api.pages("settings")}
        older_than = float(settings["sort.retention"])
    items, spared, last = _due(list(api.pages("trash")), older_than)
    size = sum(entry["bytes"] for entry in items)
    if dry_run:
        if in_json:
            terminal.print_json({"items": len(items), "bytes": size, "spared": spared, "last_copies": last})
            return
        terminal.say(Message("console.would_empty", n=len(items), size=terminal.bytes_in_words(size)))
        for code, count in (("console.would_spare", spared), ("console.would_keep_last", last)):
            if count:
                terminal.say(Message(code, n=count))
        return
    if not yes:
        question = Message("console.confirm_empty", n=len(items), size=terminal.bytes_in_words(size))
        click.confirm(terminal.sentence(question), abort=True, err=True)
    started = api.post("trash/empty", {"confirm": True, "older_than_days": older_than})
    print_job(follow(api, started["id"]) if wait else started, in_json)


def _due(entries: Sequence[Any], older_than: float) -> tuple[list[Any], int, int]:
    """The files in the trash that emptying by age deletes, and how many stay: those that are old enough only by the
    clock, and last copies."""
    if not older_than:
        return list(entries), 0, 0
    before = datetime.now(UTC) - timedelta(days=older_than)
    old = [entry for entry in entries if datetime.fromisoformat(entry["trashed"]) < before]
    aged = [entry for entry in old if entry["age_days"] >= older_than]
    due = [entry for entry in aged if not entry["last_copy"]]
    return due, len(old) - len(aged), len(aged) - len(due)
