"""comparimg-ctl detect and explain: work on folders and files without a daemon."""

import gc
import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import click

from daemon import terminal
from daemon.console_language import console_language
from daemon.ctl.path_type import PATH
from index.errors import ComparImgError, UsageError
from index.messages import Message, of_os_error, text
from index.model import HSIZES, Depth, Method


def register(program: click.Group) -> None:
    program.add_command(detect)
    program.add_command(explain)


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=PATH)
@click.option(
    "-s",
    "--hsize",
    type=click.Choice([str(h) for h in HSIZES]),
    help="Hash size: a larger hash distinguishes finer details. [16]",
)
@click.option(
    "-t",
    "--tolerance",
    type=click.IntRange(0),
    help="Largest Hamming distance of a candidate pair, in bits. [80 at hsize 16]",
)
@click.option("--no-turns", is_flag=True, help="Do not search for mirrored and rotated copies.")
@click.option("--no-verify", is_flag=True, help="Skip verification: accept every hash match.")
@click.option(
    "--depth",
    type=click.Choice([str(d) for d in Depth]),
    help="Search depth: thorough also finds cropped copies. [fast]",
)
@click.option("--method", type=click.Choice([str(m) for m in Method]), help="How candidate pairs are proposed. [auto]")
@click.option("--json", "json_file", metavar="FILE", help="Write the result to this file; - is the standard output.")
@click.option(
    "--csv", "csv_file", metavar="FILE", help="Write a row for each image to this file; - is the standard output."
)
@click.option("--data-dir", type=PATH, help="Where the index is kept between runs.")
@click.option("-q", "--quiet", is_flag=True, help="Print no progress and no summary.")
@click.pass_context
def detect(
    context: click.Context,
    /,
    folders: tuple[Path, ...],
    hsize: str | None,
    tolerance: int | None,
    no_turns: bool,
    no_verify: bool,
    depth: str | None,
    method: str | None,
    json_file: str | None,
    csv_file: str | None,
    data_dir: Path | None,
    quiet: bool,
) -> None:
    """Index folders and list the duplicates in them.

    This needs no running service and changes no file. A second run only reads what has changed.
    """
    # To look for garbage among the modules takes a tenth of the time of importing them.
    gc.disable()
    from daemon.ctl import oneshot
    from index.database.queries import result_file
    from index.database.records.jobs import DetectJobParameters
    from index.settings import check_tolerance

    gc.freeze()
    gc.enable()
    if tolerance is not None:
        check_tolerance(int(hsize or 16), tolerance)
    wanted = DetectJobParameters(
        hsize=None if hsize is None else int(hsize),
        tolerance=tolerance,
        turns=False if no_turns else None,
        verify=False if no_verify else None,
        depth=None if depth is None else Depth(depth),
        method=None if method is None else Method(method),
    )
    config = _configuration(context.obj["config"], method)
    for file in (json_file, csv_file):
        _require_replaceable(file)
    bar = terminal.Bar(quiet)
    try:
        run = oneshot.detect(folders, wanted, data_dir or oneshot.default_data_dir(), bar, config)
    finally:
        bar.end()
    if json_file is not None:
        _write(json_file, run.result, result_file.write_json)
    if csv_file is not None:
        _write(csv_file, run.result, result_file.write_csv)
    if not quiet and "-" not in (json_file, csv_file):
        _summarise(run.result, run.scan)
    if run.scan["offline"]:
        raise ComparImgError("ctl.folders_offline", folders=", ".join(run.scan["offline"]))


def _configuration(config_file: Path | None, method: str | None) -> Any:
    """The configuration: its model, and the limits of the processes that decode. If the method needs no model, an
    unreadable configuration is ignored."""
    from daemon.configuration.config import defaults, load
    from index.errors import ConfigError

    try:
        return load(config_file)
    except ConfigError:
        if method not in (None, str(Method.AUTO), str(Method.HASH)) or config_file is not None:
            raise
        return defaults()


def _write(target: str, result: dict[str, Any], write: Callable[[dict[str, Any], TextIO], None]) -> None:
    """Write a file atomically: under a temporary name, then renamed. Only an earlier result is replaced, so that a
    mistyped name cannot overwrite a picture."""
    if target == "-":
        if isinstance(sys.stdout, TextIOWrapper):
            # A path that is not UTF-8 is written as its bytes, whatever the locale.
            sys.stdout.reconfigure(errors="surrogateescape")
        write(result, sys.stdout)
        return
    partial = Path(target).with_name(f".comparimg-{secrets.token_hex(8)}.result")
    _require_replaceable(target)
    try:
        if Path(target).exists() and not Path(target).is_file():
            with open(target, "w", encoding="utf-8", errors="surrogateescape", newline="") as device:
                write(result, device)
            return
        file = partial.open("x", encoding="utf-8", errors="surrogateescape", newline="")
        try:
            with file:
                write(result, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except BaseException:
            partial.unlink()
            raise
    except OSError as error:
        raise ComparImgError("ctl.unwritable", path=target, error=of_os_error(error)) from error


def _require_replaceable(target: str | None) -> None:
    """Raises UsageError if the target exists and is not the result of an earlier run."""
    from index.database.queries import result_file

    if target in (None, "-") or not os.path.isfile(target):
        return
    with open(target, encoding="utf-8", errors="replace", newline="") as file:
        head = file.read(200)
    if head and not result_file.is_result(head):
        raise UsageError("ctl.not_our_result", path=target)


def _summarise(result: dict[str, Any], scan: dict[str, Any]) -> None:
    groups = result["groups"]
    kinds = Counter(group["kind"] for group in groups)
    gain = sum(image["bytes"] for group in groups for image in group["images"] if not image["reference"])
    scanned = {name: scan[name] for name in ("files", "read", "known", "unchanged")}
    terminal.say(Message("console.scanned", **scanned))
    counted = (terminal.sentence(Message(f"console.counted_{kind}", n=n)) for kind, n in sorted(kinds.items()))
    details = ", ".join(counted) or terminal.sentence(Message("console.none"))
    terminal.say(
        Message("console.found", groups=len(groups), details=details, size=terminal.bytes_in_words(gain)),
    )
    if result["skipped"]:
        terminal.say(Message("console.left_out", files=_skipped_in_words(result["skipped"])))
    if result["problems"]:
        reasons = Counter(problem["reason"] for problem in result["problems"])
        terminal.say(
            Message("console.unreadable", n=len(result["problems"]), details=_counts(reasons.most_common())),
        )


def _counts(numbers: Iterable[tuple[str, int]]) -> str:
    """ "3 truncated, 2 corrupt"."""
    return ", ".join(
        terminal.sentence(Message("console.counted", n=number, what=terminal.word(name))) for name, number in numbers
    )


def _skipped_in_words(skipped: dict[str, dict[str, int]]) -> str:
    """ "2 videos (mov, mp4), 1 sidecar (xmp), 7 other files". Endings are given only for kinds that may hide a
    picture."""
    parts = []
    for kind, endings in skipped.items():
        named = "" if kind == "other" else f" ({', '.join(endings)})"
        parts.append(terminal.sentence(Message(f"console.skipped_{kind}", n=sum(endings.values()))) + named)
    return ", ".join(parts)


@click.command()
@click.argument("first", type=PATH)
@click.argument("second", type=PATH)
@click.option("-s", "--hsize", type=click.Choice([str(h) for h in HSIZES]), default="16", help="Hash size. [16]")
@click.option(
    "-t", "--tolerance", type=click.IntRange(0), help="Largest Hamming distance of a candidate pair, in bits."
)
@click.option("--method", type=click.Choice([str(m) for m in Method]), help="How candidate pairs are proposed. [auto]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def explain(
    context: click.Context,
    /,
    first: Path,
    second: Path,
    hsize: str,
    tolerance: int | None,
    method: str | None,
    as_json: bool,
) -> None:
    """Show why two files are duplicates or not, measure by measure."""
    from daemon.ctl import explanation
    from daemon.jobs import embedding_model
    from index.errors import PictureError

    for path in (first, second):
        if not path.is_file():
            raise UsageError("ctl.no_file", path=path)
    asked = method or str(Method.AUTO)
    section = _configuration(context.obj["config"], method).model
    task = embedding_model.task_for(section, section.file, {})
    model = None if asked == Method.HASH or (asked == Method.AUTO and not os.path.exists(task.path)) else task
    try:
        report = explanation.explain(os.fsencode(first), os.fsencode(second), int(hsize), tolerance, model)
    except PictureError as error:
        raise ComparImgError("model.unusable", problem=embedding_model.failure_of(error)) from error
    if as_json:
        terminal.print_json(report)
        return
    verdict = terminal.sentence(_verdict(report))
    sentence = report["sentence"].get(console_language())
    if sentence:
        verdict = terminal.sentence(Message("console.finding", about=verdict, finding=sentence))
    click.echo(verdict)
    rows = [
        (
            terminal.sentence(Message("console.passed" if gate["passed"] else "console.failed")),
            gate["name"],
            gate["value"],
            gate["limit"],
            terminal.sentence(Message(f"gate.{gate['name']}")),
        )
        for gate in report["gates"]
    ]
    terminal.print_table(("", "gate", "measured", "limit", "meaning"), rows)
    if report["evidence"]:
        click.echo(json.dumps(report["evidence"]))


def _verdict(report: dict[str, Any]) -> Message:
    if report["kind"] is None:
        return Message("console.not_duplicates")
    kind = terminal.word(report["kind"])
    return text(kind) if report["verdict"] == report["kind"] else Message("console.too_far_apart", kind=kind)
