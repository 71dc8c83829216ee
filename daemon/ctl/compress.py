"""comparimg-ctl compress: compresses files without a daemon, with the options and defaults of the original script."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon import terminal
from daemon.ctl.path_type import PATH
from index import operating_system
from index.errors import ComparImgError, UsageError
from index.imaging.encoding.compression import Format, Target
from index.messages import Message, text
from index.model import JobKind

if TYPE_CHECKING:
    from index.database.records.jobs import CompressParameters


def register(program: click.Group) -> None:
    program.add_command(compress)


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=PATH)
@click.option("-p", "--directory", metavar="DIR", type=PATH, help="Compress the pictures in this folder.")
@click.option("-r", "--recursive", is_flag=True, help="Include its subfolders.")
@click.option("-m", "--modify-source", is_flag=True, help="Replace the source; it goes to the trash.")
@click.option("-d", "--delete-source", is_flag=True, help="Move the source to the trash once the result is written.")
@click.option(
    "-c", "--compression", type=click.IntRange(1, 100), default=100, help="Quality, 1 to 100; 100 is the best. [100]"
)
@click.option(
    "-x",
    "--resolution",
    metavar="WxH",
    default="",
    help="Maximum dimensions in pixels; N is the long edge. [full size]",
)
@click.option("-n", "--no-ratio", is_flag=True, help="Do not keep the aspect ratio.")
@click.option(
    "-s",
    "--size-threshold",
    metavar="MB",
    type=click.FloatRange(0),
    default=1.0,
    help="Minimum file size; smaller files are skipped. [1]",
)
@click.option(
    "--target",
    type=click.Choice(["", *map(str, Target)]),
    metavar="|".join(Target),
    default="",
    help="Target visual quality: use the lowest quality that reaches it.",
)
@click.option(
    "--format",
    "picture_format",
    type=click.Choice(["", *map(str, Format)]),
    metavar="|".join(Format),
    default="",
    help="Convert to this format.",
)
@click.option(
    "--colours", "--colors", type=click.IntRange(0, 256), default=0, help="Reduce PNG files to this number of colours."
)
@click.option("--baseline", is_flag=True, help="Write baseline JPEG instead of progressive.")
@click.option("--strip", is_flag=True, help="Remove metadata, except colour profile and orientation.")
@click.option("--enlarge", is_flag=True, help="Enlarge smaller pictures to the maximum dimensions.")
@click.option(
    "--least-gain", metavar="PERCENT", type=click.FloatRange(0, 99), default=3.0, help="Minimum savings in percent. [3]"
)
@click.option("--dry-run", is_flag=True, help="Measure the savings without changing any file.")
@click.option("--data-dir", type=PATH, help="Where the record of past runs is kept.")
@click.option("--json", "in_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.pass_context
def compress(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    directory: Path | None,
    data_dir: Path | None,
    in_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Compress pictures that still look the same afterwards.

    The result is written next to its source, with _resize in its name. With -m it replaces the source, and with -d
    the source is removed. In both cases the source goes to the trash, and `comparimg-ctl undo --one-shot` restores
    it.
    """
    from daemon.configuration.config import load
    from daemon.ctl import oneshot_compress

    if not files and directory is None:
        raise UsageError("ctl.nothing_to_compress", field="files")
    if not operating_system.IS_LINUX and (given["modify_source"] or given["delete_source"]):
        raise UsageError("ctl.sources_stay", field="modify_source")
    parameters = _parameters(**given)
    place = data_dir or oneshot_compress.default_data_dir()
    bar = terminal.Bar(quiet or in_json)
    try:
        run = oneshot_compress.compress(directory, files, parameters, place, load(context.obj["config"]), bar)
    finally:
        bar.end()
    if in_json:
        terminal.print_json(_plain(run))
    else:
        _print_report(run, quiet)
    wrong = [file for file in run.files if file.state in ("refused", "failed")]
    if wrong or run.problems:
        raise ComparImgError("ctl.not_compressed", n=len(wrong) + len(run.problems))


def _parameters(
    compression: int, no_ratio: bool, picture_format: str, size_threshold: float, **others: Any
) -> "CompressParameters":
    """The parameters of the job. `others` are the options with the same name as their parameter."""
    from index.database.records.jobs import CompressParameters, check_parameters

    given = {
        **others,
        "quality": compression,
        "keep_ratio": not no_ratio,
        "format": picture_format,
        "size_threshold_mb": size_threshold,
    }
    parameters = check_parameters(JobKind.COMPRESS, given)
    assert isinstance(parameters, CompressParameters)
    return parameters


def was_used() -> bool:
    """Whether anything was ever compressed without a daemon, with the default data folder."""
    from daemon.ctl import oneshot_compress

    return oneshot_compress.has_index(oneshot_compress.default_data_dir())


def undo_local(
    context: click.Context,
    batch_id: int | None,
    steps: Sequence[int],
    dry_run: bool,
    in_json: bool,
    data_dir: Path | None,
) -> None:
    """`comparimg-ctl undo` of compressions without a daemon."""
    from daemon.configuration.config import load
    from daemon.ctl import oneshot_compress

    place = data_dir or oneshot_compress.default_data_dir()
    config = load(context.obj["config"])
    if dry_run:
        planned = oneshot_compress.plan_undo(batch_id, steps, place, config)
        if in_json:
            terminal.print_json([{"step": step.id, "path": os.fsdecode(step.path)} for step in planned])
        else:
            terminal.print_table(("step", "path"), [(step.id, os.fsdecode(step.path)) for step in planned])
        return
    bar = terminal.Bar(in_json)
    try:
        outcome = oneshot_compress.undo(batch_id, steps, place, config, bar)
    finally:
        bar.end()
    refused = sum(outcome["refused"].values())
    if in_json:
        terminal.print_json(outcome)
    else:
        renamed = outcome["restored_beside"]
        undone = Message("console.undone", batch=outcome["undone"], n=outcome["restored"])
        if renamed:
            undone = Message("console.undone_beside", **undone.params, beside=renamed)
        terminal.say(undone)
    if refused:
        raise ComparImgError("ctl.not_brought_back", files=refused, reasons=", ".join(sorted(outcome["refused"])))


def _print_report(run: Any, quiet: bool) -> None:
    for file in run.files:
        if file.state in ("refused", "failed"):
            click.echo(f"{terminal.printable_path(file.path)}: {terminal.sentence(file.message)}", err=True)
        elif not quiet:
            click.echo(_line(file))
    for path, _, message in run.problems:
        click.echo(f"{terminal.printable_path(path)}: {terminal.sentence(message)}", err=True)
    if quiet:
        return
    outcome: Mapping[str, Any] = run.outcome
    counts = (
        Message("console.below_threshold", n=run.small),
        Message("console.known", n=outcome.get("known", 0)),
        Message("console.too_little_gain", n=outcome.get("left", 0)),
    )
    made = outcome.get("compressed", 0)
    before, after = outcome.get("bytes_before", 0), outcome.get("bytes_after", 0)
    parts = [Message("console.would_compress" if outcome.get("dry_run") else "console.compressed", n=made)]
    if made:
        parts.append(text(f"{terminal.bytes_in_words(before)} -> {terminal.bytes_in_words(after)}"))
    parts += [count for count in counts if count.params["n"]]
    click.echo(", ".join(map(terminal.sentence, parts)) + ".")
    if made and not outcome["dry_run"] and operating_system.IS_LINUX:
        terminal.say(Message("console.undo_with", command=f"comparimg-ctl undo --one-shot {outcome['batch']}"))


def _line(file: Any) -> str:
    if file.state == "left":
        return terminal.sentence(
            Message("console.skipped", path=os.fsdecode(file.path), reason=terminal.sentence(file.message))
        )
    gain = 1 - file.result_bytes / file.source_bytes
    parts = [f"{terminal.bytes_in_words(file.source_bytes)} -> {terminal.bytes_in_words(file.result_bytes)}"]
    parts.append(f"({-gain:+.0%})")
    parts.append(terminal.sentence(Message("console.lossless")) if file.lossless else f"SSIMULACRA 2 {file.score:.1f}")
    if file.quality:
        parts.append(terminal.sentence(Message("console.at_quality", n=file.quality)))
    if file.result_size != file.source_size:
        parts.append(f"{file.source_size} -> {file.result_size}")
    if file.result_path not in (b"", file.path):
        parts.append(f"-> {terminal.printable_path(os.path.basename(file.result_path))}")
    notes = f"; {terminal.sentence(file.message)}" if file.message else ""
    return f"{terminal.printable_path(file.path)}: {' '.join(parts)}{notes}"


def _plain(run: Any) -> dict[str, Any]:
    files = [
        {
            "path": os.fsdecode(file.path),
            "state": str(file.state),
            "result": os.fsdecode(file.result_path),
            "bytes_before": file.source_bytes,
            "bytes_after": file.result_bytes,
            "size_before": file.source_size,
            "size_after": file.result_size,
            "format": file.format,
            "lossless": file.lossless,
            "quality": file.quality or None,
            "score": file.score,
            "reason": file.reason,
            "message": terminal.in_words(file.message),
        }
        for file in run.files
    ]
    problems = [
        {"path": os.fsdecode(path), "reason": reason, "message": terminal.in_words(message)}
        for path, reason, message in run.problems
    ]
    return {**run.outcome, "below_threshold": run.small, "items": files, "problems": problems}
