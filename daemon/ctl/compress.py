"""comparimg-ctl compress: files made smaller, without a daemon, with the letters and defaults of the original."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from daemon import terminal
from index.encoding.compression import Format, Target
from index.errors import ComparImgError, UsageError
from index.model import JobKind


def register(program: click.Group) -> None:
    program.add_command(compress)


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("-p", "--directory", metavar="DIR", type=click.Path(path_type=Path), help="The pictures in this folder.")
@click.option("-r", "--recursive", is_flag=True, help="And in the folders below it.")
@click.option("-m", "--modify-source", is_flag=True, help="Let the result take the source's place.")
@click.option("-d", "--delete-source", is_flag=True, help="Put the source in the trash where there is a result.")
@click.option("-c", "--compression", type=click.IntRange(1, 100), default=100, help="Quality; 100 is the best. [100]")
@click.option("-x", "--resolution", metavar="WxH", default="1920x1080", help="What larger ones must fit. [1920x1080]")
@click.option("-n", "--no-ratio", is_flag=True, help="Do not keep the ratio of width and height.")
@click.option(
    "-s", "--size-threshold", metavar="MB", type=click.FloatRange(0), default=1.0, help="Leave smaller files. [1]"
)
@click.option("--target", type=click.Choice(["", *map(str, Target)]), metavar="|".join(Target), default="",
              help="Find the least quality that looks so.")
@click.option("--format", "picture_format", type=click.Choice(["", *map(str, Format)]), metavar="|".join(Format),
              default="", help="Convert to this.")
@click.option("--colours", "--colors", type=click.IntRange(0, 256), default=0, help="Reduce PNG to so many colours.")
@click.option("--strip", is_flag=True, help="Drop metadata, all but colours and orientation.")
@click.option("--enlarge", is_flag=True, help="Scale smaller pictures up, too.")
@click.option(
    "--least-gain", metavar="PERCENT", type=click.FloatRange(0, 99), default=3.0, help="What it must save. [3]"
)
@click.option("--dry-run", is_flag=True, help="Measure what would be saved; change nothing.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where what was done is remembered.")
@click.option("--json", "in_json", is_flag=True, help="Answer in JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")
@click.pass_context
def compress(
    context: click.Context,
    files: tuple[Path, ...],
    directory: Path | None,
    recursive: bool,
    modify_source: bool,
    delete_source: bool,
    compression: int,
    resolution: str,
    no_ratio: bool,
    size_threshold: float,
    target: str,
    picture_format: str,
    colours: int,
    strip: bool,
    enlarge: bool,
    least_gain: float,
    dry_run: bool,
    data_dir: Path | None,
    in_json: bool,
    quiet: bool,
) -> None:
    """Make pictures smaller that still look the same.

    The result stands beside its source, with _resize in its name. With -m it takes the source's place, with -d the
    source goes: into the trash in both cases, from where `comparimg-ctl undo --one-shot` brings it back.
    """
    from daemon.configuration.config import load
    from daemon.ctl import oneshot_compress
    from index.records.jobs import CompressParameters, check_parameters

    if not files and directory is None:
        raise UsageError("There is nothing to compress.", "Name files, or a folder with -p.", field="files")
    given = {
        "recursive": recursive,
        "quality": compression,
        "target": target,
        "resolution": resolution,
        "keep_ratio": not no_ratio,
        "enlarge": enlarge,
        "format": picture_format,
        "strip": strip,
        "colours": colours,
        "size_threshold_mb": size_threshold,
        "least_gain": least_gain,
        "modify_source": modify_source,
        "delete_source": delete_source,
        "dry_run": dry_run,
    }
    parameters = check_parameters(JobKind.COMPRESS, given)
    assert isinstance(parameters, CompressParameters)
    place = data_dir or oneshot_compress.default_data_dir()
    bar = terminal.Bar(quiet or in_json)
    try:
        run = oneshot_compress.compress(directory, files, parameters, place, load(context.obj["config"]), bar)
    finally:
        bar.end()
    if in_json:
        terminal.print_json(_plain(run))
    else:
        _tell(run, quiet)
    wrong = [file for file in run.files if file.state in ("refused", "failed")]
    if wrong or run.problems:
        raise ComparImgError(f"{len(wrong) + len(run.problems)} of the files could not be compressed.")


def was_used() -> bool:
    """Whether anything was ever compressed without a daemon, in the usual place."""
    from daemon.ctl import oneshot_compress

    return oneshot_compress.is_there(oneshot_compress.default_data_dir())


def undo_alone(
    context: click.Context,
    batch_id: int | None,
    steps: Sequence[int],
    dry_run: bool,
    in_json: bool,
    data_dir: Path | None,
) -> None:
    """`comparimg-ctl undo` of what was compressed without a daemon."""
    from daemon.configuration.config import load
    from daemon.ctl import oneshot_compress

    place = data_dir or oneshot_compress.default_data_dir()
    config = load(context.obj["config"])
    if dry_run:
        found = oneshot_compress.would_come_back(batch_id, steps, place, config)
        if in_json:
            terminal.print_json([{"step": step.id, "path": os.fsdecode(step.path)} for step in found])
        else:
            terminal.print_table(("step", "path"), [(step.id, os.fsdecode(step.path)) for step in found])
        return
    bar = terminal.Bar(in_json)
    try:
        told = oneshot_compress.undo(batch_id, steps, place, config, bar)
    finally:
        bar.end()
    refused = sum(told["refused"].values())
    if in_json:
        terminal.print_json(told)
    else:
        beside = told["restored_beside"]
        also = f", {beside} of them under another name, as theirs was taken" if beside else ""
        files = terminal.counted(told["restored"], "file")
        click.echo(f"batch {told['undone']} is undone: {files} brought back{also}.")
    if refused:
        raise ComparImgError(f"{refused} could not be brought back: {', '.join(sorted(told['refused']))}.")


def _tell(run: Any, quiet: bool) -> None:
    for file in run.files:
        if file.state in ("refused", "failed"):
            click.echo(f"{_shown(file.path)}: {file.message}", err=True)
        elif not quiet:
            click.echo(_line(file))
    for path, _, message in run.problems:
        click.echo(f"{_shown(path)}: {message}", err=True)
    if quiet:
        return
    told: Mapping[str, Any] = run.outcome
    counts = [(run.small, "below the size threshold"), (told.get("known", 0), "as wished already")]
    counts.append((told.get("left", 0), "left, as there was too little to gain"))
    rest = ", ".join(f"{number} {words}" for number, words in counts if number)
    made = told.get("compressed", 0)
    before, after = told.get("bytes_before", 0), told.get("bytes_after", 0)
    would = "would be " if told.get("dry_run") else ""
    saved = f", {terminal.bytes_in_words(before)} -> {terminal.bytes_in_words(after)}" if made else ""
    click.echo(f"{terminal.counted(made, 'file')} {would}compressed{saved}{f'; {rest}' if rest else ''}.")
    if made and not told["dry_run"]:
        click.echo(f"To undo this: comparimg-ctl undo --one-shot {told['batch']}")


def _line(file: Any) -> str:
    if file.state == "left":
        return f"{_shown(file.path)}: left. {file.message}"
    gain = 1 - file.result_bytes / file.source_bytes
    words = [f"{terminal.bytes_in_words(file.source_bytes)} -> {terminal.bytes_in_words(file.result_bytes)}"]
    words.append(f"({-gain:+.0%})")
    words.append("every pixel equal" if file.lossless else f"SSIMULACRA 2 {file.score:.1f}")
    if file.quality:
        words.append(f"at quality {file.quality}")
    if file.result_size != file.source_size:
        words.append(f"{file.source_size} -> {file.result_size}")
    if file.result_path not in (b"", file.path):
        words.append(f"-> {_shown(os.path.basename(file.result_path))}")
    notes = f"; {file.message}" if file.message else ""
    return f"{_shown(file.path)}: {' '.join(words)}{notes}"


def _shown(path: bytes) -> str:
    return terminal.printable(os.fsdecode(path))


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
            "message": file.message,
        }
        for file in run.files
    ]
    problems = [
        {"path": os.fsdecode(path), "reason": reason, "message": message} for path, reason, message in run.problems
    ]
    return {**run.outcome, "below_threshold": run.small, "items": files, "problems": problems}
