"""comparimg-ctl trash recover: restores files by the manifests of trashes, without an index or a daemon."""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon import terminal
from daemon.ctl.path_type import PATH
from index.errors import ComparImgError, NotFound, StoreError, UsageError
from index.messages import Message, hint_of, joined, of_os_error

if TYPE_CHECKING:
    from daemon.files.trash_recovery import TrashedFile


@click.command("recover")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--restore", is_flag=True, help="Restore the files.")
@click.option("--dry-run", is_flag=True, help="Only list the files, as without --restore.")
@click.option("--check", is_flag=True, help="Compare the files with the digests in the manifests.")
@click.option("--json", "in_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.pass_context
def recover(
    context: click.Context, folder: Path, restore: bool, dry_run: bool, check: bool, in_json: bool, quiet: bool
) -> None:
    """Restore files from trash folders, without index or service.

    DIR is a trash folder (.comparimg-trash) or a folder that contains some. Without --restore, the files are only
    listed. Each file is restored below the folder that holds its trash, under a free name. Stop the service first.
    The exit code is 1 if a file could not be restored or its bytes have changed.
    """
    from daemon.files import trash_recovery

    if restore and dry_run:
        raise UsageError("ctl.restore_or_dry_run")
    top = os.fsencode(os.path.realpath(folder))
    if not os.path.isdir(top):
        raise UsageError("ctl.no_folder", path=folder)
    refusal_for = _require_no_service(context, top) if restore else None
    unreadable: list[bytes] = []
    trash_folders = list(trash_recovery.trash_folders_in(top, unreadable))
    _warn(terminal.sentence(Message("console.unlistable", path=os.fsdecode(path))) for path in unreadable)
    if not trash_folders:
        raise NotFound("ctl.no_trash", path=terminal.printable_path(top))
    files: Iterator[TrashedFile] = (file for trash_folder in trash_folders for file in _files_in(trash_folder))
    if refusal_for is not None:
        files = trash_recovery.restore_files(files, refusal_for)
    elif check:
        files = map(trash_recovery.check_bytes, files)
    rows = _process(files, restore, in_json, quiet)
    count, restored, wrong = len(rows), sum(row["restored"] for row in rows), sum(map(_is_wrong, rows))
    still = Counter(row["trash"] for row in rows if not row["restored"])
    left = sum(max(0, _count(trash_folder) - still[os.fsdecode(trash_folder)]) for trash_folder in trash_folders)
    if in_json:
        terminal.print_json(
            {
                "trashes": [os.fsdecode(trash_folder) for trash_folder in trash_folders],
                "files": rows,
                "not_listed": left,
            }
        )
    else:
        _print_summary(count, restored, wrong, left, restore, quiet)
    if wrong or unreadable:
        context.exit(1)


def _files_in(trash_folder: bytes) -> Iterator["TrashedFile"]:
    from daemon.files import trash_recovery

    try:
        objection = trash_recovery.objection(trash_folder)
        if objection:
            hint = hint_of(objection) or ""
            path = terminal.printable_path(trash_folder)
            _warn([terminal.sentence(Message("ctl.trash_not_used", path=path, problem=objection, hint=hint))])
        yield from trash_recovery.files_in(trash_folder)
    except OSError as error:
        path = terminal.printable_path(trash_folder)
        _warn([terminal.sentence(Message("ctl.manifest_unreadable", path=path, error=of_os_error(error)))])


def _process(files: Iterable["TrashedFile"], restore: bool, in_json: bool, quiet: bool) -> list[dict[str, Any]]:
    bar = terminal.Bar(quiet or not restore)
    bar.begin("restoring", None)
    rows = []
    try:
        for file in files:
            rows.append(_as_json(file))
            bar.advance()
            if not in_json and (not quiet or _is_wrong(rows[-1])):
                click.echo(_line(file))
    finally:
        bar.end()
    return rows


def _as_json(file: "TrashedFile") -> dict[str, Any]:
    entry = file.entry
    return {
        "trash": os.fsdecode(file.trash_folder),
        "file": os.fsdecode(entry.place),
        "from": os.fsdecode(entry.path),
        "to": os.fsdecode(file.target),
        "elsewhere": file.elsewhere,
        "bytes": entry.size_bytes,
        "content": str(file.bytes),
        "restored": file.restored,
        "message": None if file.message is None else terminal.sentence(file.message),
    }


def _is_wrong(row: dict[str, Any]) -> bool:
    return row["message"] is not None or row["content"] == "different"


def _line(file: "TrashedFile") -> str:
    sign = "=>" if file.restored else "->"
    notes = [
        Message("console.manifest_says", path=os.fsdecode(file.entry.path)) if file.elsewhere else None,
        Message("console.bytes_differ") if file.bytes == "different" else None,
        None if file.message is None else Message("console.not_restored", problem=file.message),
    ]
    remark = terminal.sentence(joined("join.notes", said)) if (said := [note for note in notes if note]) else ""
    place, target = terminal.printable_path(file.entry.place), terminal.printable_path(file.target)
    return f"{place} {sign} {target}{f' ({remark})' if remark else ''}"


def _print_summary(count: int, restored: int, wrong: int, left: int, restore: bool, quiet: bool) -> None:
    if not quiet:
        done = Message("console.recovered", restored=restored, n=count)
        terminal.say(done if restore else Message("console.recoverable", n=count))
    if wrong:
        terminal.say(Message("console.recover_failed", n=wrong), to_stderr=True)
    if left:
        terminal.say(Message("console.not_in_manifest", n=left), to_stderr=True)


def _count(trash_folder: bytes) -> int:
    from daemon.files import trash_recovery

    try:
        return trash_recovery.count_files(trash_folder)
    except OSError:
        return 0


def _require_no_service(context: click.Context, top: bytes) -> Callable[[bytes], Message | None]:
    """Refuse to run while a service or a one-shot compression that may use these folders is running. One of another
    configuration, user or machine cannot be detected. Returns a function that says why nothing may be restored to a
    path, or returns None if something may."""
    from daemon.configuration.config import load
    from daemon.configuration.stored_overrides import effective
    from daemon.ctl.oneshot_compress import default_data_dir
    from daemon.files.protected_paths import ManagedFolders
    from daemon.pidfile import process_of
    from index.imaging.discovery.walk import is_at_or_below

    if process_of(default_data_dir()) is not None:
        raise ComparImgError("ctl.compression_running")
    # A configuration that cannot be read raises, since it might protect these folders.
    config = load(context.obj["config"])
    # This command is for a lost index. If it is lost, only the file says what is protected.
    with contextlib.suppress(StoreError):
        config = effective(config)
    roots = {section.path: section.protected for section in config.watch}
    folders = map(os.path.realpath, [*roots, *config.sort.destinations.values()])
    if process_of(config.daemon.data_dir) is not None and any(
        is_at_or_below(top, folder) or is_at_or_below(folder, top) for folder in folders
    ):
        raise ComparImgError("ctl.service_running")
    managed, data_dir = ManagedFolders.of(roots), os.path.realpath(os.fsencode(config.daemon.data_dir))

    def refusal(path: bytes) -> Message | None:
        if managed.protector_of(path) is not None:
            return Message("trash.folder_protected")
        in_data = is_at_or_below(os.path.realpath(os.path.dirname(path)), data_dir)
        return Message("trash.into_data_folder") if in_data else None

    return refusal


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        click.echo(f"comparimg-ctl: {sentence}", err=True)
