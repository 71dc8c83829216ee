"""comparimg-ctl trash recover: files brought back by the manifests of trashes, without an index or a daemon."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon import terminal
from index.errors import ComparImgError, NotFound, UsageError

if TYPE_CHECKING:
    from daemon.files.trash_recovery import Found


@click.command("recover")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--restore", is_flag=True, help="Bring the files back.")
@click.option("--dry-run", is_flag=True, help="Only list them: this is what happens without --restore.")
@click.option("--check", is_flag=True, help="Compare their bytes with the digests in the manifests.")
@click.option("--json", "in_json", is_flag=True, help="Answer in JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")
@click.pass_context
def recover(
    context: click.Context, folder: Path, restore: bool, dry_run: bool, check: bool, in_json: bool, quiet: bool
) -> None:
    """Bring files back from the trashes in DIR, without an index and without a daemon.

    DIR is a trash folder (.comparimg-trash) or any folder above some. Without --restore the files are listed, and
    nothing is changed. Each comes back below the folder that holds its trash, under a name that is free. Stop the
    service first. Ends with 1 where a file could not be brought back or its bytes are not those that were recorded.
    """
    from daemon.files import trash_recovery

    if restore and dry_run:
        raise UsageError("Give --restore or --dry-run, not both.")
    top = os.fsencode(os.path.realpath(folder))
    if not os.path.isdir(top):
        raise UsageError(f"{folder} is no folder.")
    refusal = _require_nobody_else(context, top) if restore else None
    unreadable: list[bytes] = []
    homes = list(trash_recovery.trashes_in(top, unreadable))
    _warn(f"{_shown(path)} cannot be listed" for path in unreadable)
    if not homes:
        raise NotFound(f"There is no trash at or below {_shown(top)}.")
    files: Iterator[Found] = (found for home in homes for found in _files_in(home))
    if refusal is not None:
        files = trash_recovery.restored(files, refusal)
    elif check:
        files = map(trash_recovery.checked, files)
    said = _said(files, "restoring" if restore else "looking", restore, in_json, quiet)
    count, restored, wrong = len(said), sum(one["restored"] for one in said), sum(map(_is_wrong, said))
    still = Counter(one["trash"] for one in said if not one["restored"])
    left = sum(max(0, _count(home) - still[os.fsdecode(home)]) for home in homes)
    if in_json:
        terminal.print_json({"trashes": [os.fsdecode(home) for home in homes], "files": said, "not_listed": left})
    else:
        _tell(count, restored, wrong, left, restore, quiet)
    if wrong or unreadable:
        context.exit(1)


def _files_in(home: bytes) -> Iterator["Found"]:
    from daemon.files import trash_recovery
    from daemon.files.trash_trust import REMEDIES

    try:
        objection = trash_recovery.objection(home)
        if objection:
            _warn([f"{_shown(home)}: {objection}. {REMEDIES[objection]}"])
        yield from trash_recovery.files_in(home)
    except OSError as error:
        _warn([f"the manifest of {_shown(home)} cannot be read: {error.strerror}"])


def _said(files: Iterable["Found"], phase: str, restore: bool, in_json: bool, quiet: bool) -> list[dict[str, Any]]:
    bar = terminal.Bar(quiet or not restore)
    bar.begin(phase, None)
    said = []
    try:
        for found in files:
            said.append(_as_json(found))
            bar.advance()
            if not in_json and (not quiet or _is_wrong(said[-1])):
                click.echo(_line(found))
    finally:
        bar.end()
    return said


def _as_json(found: "Found") -> dict[str, Any]:
    entry = found.entry
    return {
        "trash": os.fsdecode(found.home),
        "file": os.fsdecode(entry.place),
        "from": os.fsdecode(entry.path),
        "to": os.fsdecode(found.target),
        "elsewhere": found.elsewhere,
        "bytes": entry.size_bytes,
        "content": str(found.bytes),
        "restored": found.restored,
        "message": found.message or None,
    }


def _is_wrong(one: dict[str, Any]) -> bool:
    return one["message"] is not None or one["content"] == "different"


def _line(found: "Found") -> str:
    sign = "=>" if found.restored else "->"
    notes = [
        f"the manifest says {_shown(found.entry.path)}" if found.elsewhere else "",
        "its bytes are not those that were recorded" if found.bytes == "different" else "",
        f"not restored: {found.message}" if found.message else "",
    ]
    told = "; ".join(filter(None, notes))
    return f"{_shown(found.entry.place)} {sign} {_shown(found.target)}{f' ({told})' if told else ''}"


def _tell(count: int, restored: int, wrong: int, left: int, restore: bool, quiet: bool) -> None:
    if not quiet:
        files = terminal.counted(count, "file")
        click.echo(f"{restored} of {files} restored" if restore else f"{files}; bring them back with --restore")
    if wrong:
        click.echo(f"{terminal.counted(wrong, 'file')} could not be restored or changed, see above", err=True)
    if left:
        click.echo(f"{terminal.counted(left, 'file')} in a trash of which no manifest tells", err=True)


def _count(home: bytes) -> int:
    from daemon.files import trash_recovery

    try:
        return trash_recovery.count_files(home)
    except OSError:
        return 0


def _require_nobody_else(context: click.Context, top: bytes) -> Callable[[bytes], str]:
    """Refuse while a service or a one-shot compression that may use these folders holds its index. One of another
    configuration, user or machine cannot be seen from here. Gives why nothing may be restored to a path, or ""."""
    from daemon.configuration.config import load
    from daemon.ctl.oneshot_compress import default_data_dir
    from daemon.files.grounds import Grounds
    from daemon.running import process_of
    from index.images.walk import is_at_or_below

    if process_of(default_data_dir()) is not None:
        raise ComparImgError("A compression is running.", "Wait until it has ended.")
    # One that cannot be read is no reason to take nothing for protected.
    config = load(context.obj["config"])
    roots = {section.path: section.protected for section in config.watch}
    folders = map(os.path.realpath, [*roots, *config.sort.destinations.values()])
    if process_of(config.daemon.data_dir) is not None and any(
        is_at_or_below(top, folder) or is_at_or_below(folder, top) for folder in folders
    ):
        hint = "Use comparimg-ctl trash list and trash restore, or stop the service first."
        raise ComparImgError("The service is running, and its index would not know of what is restored.", hint)
    grounds, data_dir = Grounds.of(roots), os.path.realpath(os.fsencode(config.daemon.data_dir))

    def refusal(path: bytes) -> str:
        if grounds.protector_of(path) is not None:
            return "its folder is protected"
        in_data = is_at_or_below(os.path.realpath(os.path.dirname(path)), data_dir)
        return "its place is in the data folder" if in_data else ""

    return refusal


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        click.echo(f"comparimg-ctl: {sentence}", err=True)


def _shown(path: bytes) -> str:
    return terminal.printable(os.fsdecode(path))
