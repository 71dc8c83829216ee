"""comparimg-ctl on folders, without a daemon: detect and explain."""

import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import click

from daemon import terminal
from index.errors import ComparImgError, UsageError
from index.model import HSIZES, Depth


def register(program: click.Group) -> None:
    program.add_command(detect)
    program.add_command(explain)


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-s", "--hsize", type=click.Choice([str(h) for h in HSIZES]), help="Hash size: larger sees more. [16]")
@click.option("-t", "--tolerance", type=click.IntRange(0), help="Bits in which candidates may differ. [80 at hsize 16]")
@click.option("--no-turns", is_flag=True, help="Do not look for mirrored and turned copies.")
@click.option("--no-verify", is_flag=True, help="Take every candidate for a duplicate without looking at it.")
@click.option("--depth", type=click.Choice([str(d) for d in Depth]), help="How far to look for crops. [fast]")
@click.option("--json", "json_file", metavar="FILE", help="Write the result there; - is the standard output.")
@click.option("--csv", "csv_file", metavar="FILE", help="Write a row for each image there.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the index is kept between runs.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
def detect(
    folders: tuple[Path, ...],
    hsize: str | None,
    tolerance: int | None,
    no_turns: bool,
    no_verify: bool,
    depth: str | None,
    json_file: str | None,
    csv_file: str | None,
    data_dir: Path | None,
    quiet: bool,
) -> None:
    """Index folders and list the duplicates in them.

    Without a daemon, and without changing any file. A second run re-reads only what changed.
    """
    from daemon.ctl import oneshot
    from index.queries import report
    from index.records.jobs import DetectJobParameters
    from index.settings import check_tolerance

    if tolerance is not None:
        check_tolerance(int(hsize or 16), tolerance)
    wanted = DetectJobParameters(
        hsize=None if hsize is None else int(hsize),
        tolerance=tolerance,
        turns=False if no_turns else None,
        verify=False if no_verify else None,
        depth=None if depth is None else Depth(depth),
    )
    for file in (json_file, csv_file):
        _require_replaceable(file)
    bar = terminal.Bar(quiet)
    try:
        found = oneshot.detect(folders, wanted, data_dir or oneshot.default_data_dir(), bar, os.cpu_count() or 1)
    finally:
        bar.end()
    if json_file is not None:
        _write(json_file, found.result, report.write_json)
    if csv_file is not None:
        _write(csv_file, found.result, report.write_csv)
    if not quiet and "-" not in (json_file, csv_file):
        _summarise(found.result, found.scan)
    if found.scan["offline"]:
        raise ComparImgError(f"Not looked at, as it could not be: {', '.join(found.scan['offline'])}.")


def _write(target: str, result: dict[str, Any], write: Callable[[dict[str, Any], TextIO], None]) -> None:
    """Write a whole file or none: beside its place first, then renamed over it. Of what is there only an earlier result
    is replaced: a slip of the hand must not cost a picture."""
    if target == "-":
        if isinstance(sys.stdout, TextIOWrapper):
            # A path that is no UTF-8 leaves as the bytes it is, whatever the locale.
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
        with partial.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file:
            try:
                write(result, file)
                file.flush()
                os.fsync(file.fileno())
                partial.replace(target)
            except BaseException:
                partial.unlink()
                raise
    except OSError as error:
        raise ComparImgError(f"{target} cannot be written: {error.strerror}.") from error


def _require_replaceable(target: str | None) -> None:
    """Raises UsageError for a file that is no result of an earlier run."""
    from index.queries import report

    if target in (None, "-") or not os.path.isfile(target):
        return
    with open(target, encoding="utf-8", errors="replace", newline="") as file:
        head = file.read(200)
    if head and not report.is_result(head):
        raise UsageError(f"{target} exists and is not an earlier result of ComparImg, so it is not overwritten.")


def _summarise(result: dict[str, Any], scan: dict[str, Any]) -> None:
    groups = result["groups"]
    kinds = Counter(group["kind"] for group in groups)
    gain = sum(image["bytes"] for group in groups for image in group["images"] if not image["reference"])
    click.echo(
        f"{terminal.counted(scan['files'], 'file')}: {scan['read']} decoded, {scan['known']} recognised by their bytes,"
        f" {scan['unchanged']} unchanged."
    )
    told = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())) or "none"
    found = terminal.counted(len(groups), "group")
    click.echo(f"{found} of duplicates ({told}); {terminal.bytes_in_words(gain)} in copies.")
    if result["problems"]:
        reasons = Counter(problem["reason"] for problem in result["problems"])
        told = ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in reasons.most_common())
        click.echo(f"{terminal.counted(len(result['problems']), 'file')} could not be read as pictures: {told}.")


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("-s", "--hsize", type=click.Choice([str(h) for h in HSIZES]), default="16", help="Hash size. [16]")
@click.option("-t", "--tolerance", type=click.IntRange(0), help="Bits in which candidates may differ.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def explain(first: Path, second: Path, hsize: str, tolerance: int | None, as_json: bool) -> None:
    """Tell why two files are duplicates or not, gate by gate."""
    from daemon.ctl import explaining

    for path in (first, second):
        if not path.is_file():
            raise UsageError(f"{path} is no file.")
    told = explaining.explain(os.fsencode(first), os.fsencode(second), int(hsize), tolerance)
    if as_json:
        terminal.print_json(told)
        return
    click.echo(f"{told['verdict']}: {told['sentence']['en']}" if told["sentence"] else told["verdict"])
    rows = [
        ("passed" if gate["passed"] else "FAILED", gate["name"], gate["value"], gate["limit"], gate["meaning"])
        for gate in told["gates"]
    ]
    terminal.print_table(("", "gate", "measured", "limit", "meaning"), rows)
    if told["evidence"]:
        click.echo(json.dumps(told["evidence"]))
