"""comparimg-ctl with a daemon: decide about many groups at once."""

from typing import Any

import click

from daemon import terminal
from daemon.ctl.remote import client, effect_of_job, json_option
from daemon.ctl.rest_path import at
from index.errors import UsageError
from index.messages import Message


def register(program: click.Group) -> None:
    program.add_command(accept)
    program.add_command(clear)


@click.command()
@click.argument("groups", metavar="[GROUP]...", nargs=-1)
@click.option("--kind", help="Only these kinds of match: exact, pixels, near, possible; comma-separated.")
@click.option("--path", help="Only groups with an image in this folder, or with this text in its path.")
@click.option("--keep-all", is_flag=True, help="Keep all images instead.")
@click.option("--move-to", metavar="NAME", help="Move the copies to this destination instead of the trash.")
@click.option("--link", is_flag=True, help="Replace identical copies by hard links; other images stay undecided.")
@click.option("--dry-run", is_flag=True, help="Show what would be decided, without deciding it.")
@json_option
@click.pass_context
def accept(
    context: click.Context,
    groups: tuple[str, ...],
    kind: str | None,
    path: str | None,
    keep_all: bool,
    move_to: str | None,
    link: bool,
    dry_run: bool,
    in_json: bool,
) -> None:
    """Accept the proposals for all groups, or for the groups given.

    Earlier decisions are kept, and ties stay undecided. No file is changed until `comparimg-ctl sort`.
    """
    if sum((keep_all, move_to is not None, link)) > 1:
        raise UsageError("ctl.one_way_only", field="keep_all")
    body: dict[str, Any] = {"action": "keep" if keep_all else "link" if link else "accept"}
    if move_to is not None:
        body = {"action": "move", "destination": move_to}
    if groups:
        body["groups"] = list(groups)
    api = client(context)
    effect = api.post(at("decisions", "preview"), body, kind=kind, path=path)
    if effect["for_a_job"]:
        effect = effect_of_job(api, at("decisions", "jobs"), {**body, "dry_run": dry_run}, kind=kind, path=path)
    elif not dry_run:
        effect = api.post(at("decisions", "apply"), body, kind=kind, path=path)
    if in_json:
        terminal.print_json(effect)
        return
    size = terminal.bytes_in_words(effect["bytes"])
    counts = {"groups": effect["groups"], "images": effect["images"], "size": size}
    word = "would_accept" if dry_run else "accepted"
    if keep_all:
        terminal.say(Message(f"console.{word}_keep", groups=effect["groups"]))
    elif move_to is not None:
        terminal.say(Message(f"console.{word}_move", destination=move_to, **counts))
    else:
        terminal.say(Message(f"console.{word}_{'link' if link else 'trash'}", **counts))
    if effect["left_open"]:
        terminal.say(Message("console.left_open", n=effect["left_open"]))
    if effect["order"]:
        terminal.say(Message("console.revoke_with", command=f"comparimg-ctl rules revoke {effect['order']}"))


@click.command()
@click.argument("groups", metavar="[GROUP]...", nargs=-1)
@click.option("--kind", help="Only these kinds of match: exact, pixels, near, possible; comma-separated.")
@click.option("--path", help="Only groups with an image in this folder, or with this text in its path.")
@click.option("--dry-run", is_flag=True, help="Show what would be cleared, without clearing it.")
@click.option("--undo", type=int, metavar="ID", help="Restore the decisions that this command cleared earlier.")
@json_option
@click.pass_context
def clear(
    context: click.Context,
    groups: tuple[str, ...],
    kind: str | None,
    path: str | None,
    dry_run: bool,
    undo: int | None,
    in_json: bool,
) -> None:
    """Clear the decisions that are not applied yet, for all groups or for those given.

    No file is changed.
    """
    api = client(context)
    if undo is not None:
        api.delete(at("decisions", "cleared", undo))
        if in_json:
            terminal.print_json({"decided_again": undo})
        else:
            terminal.say(Message("console.decided_again"))
        return
    body: dict[str, Any] = {"action": "clear", **({"groups": list(groups)} if groups else {})}
    effect = api.post(at("decisions", "preview" if dry_run else "apply"), body, kind=kind, path=path)
    if in_json:
        terminal.print_json(effect)
        return
    code = "console.would_clear" if dry_run else "console.cleared"
    terminal.say(Message(code, decisions=effect["images"], groups=effect["groups"]))
    if effect["clearing"]:
        terminal.say(Message("console.undo_with", command=f"comparimg-ctl clear --undo {effect['clearing']}"))
