"""comparimg-ctl model: checks, without a daemon, whether a model can be used."""

from pathlib import Path
from typing import Any

import click

from daemon import terminal
from daemon.ctl.path_type import PATH


def register(program: click.Group) -> None:
    program.add_command(model)


@click.group()
def model() -> None:
    """The model that finds similar pictures."""


@model.command()
@click.argument("file", metavar="FILE", type=PATH)
@click.option("--size", help="Size of its input in pixels, for example 224x224.")
@click.option("--fit", help="How a picture is fitted to that size: stretch, crop or pad.")
@click.option("--mean", help="Mean subtracted from each channel (0 to 255).")
@click.option("--std", help="Standard deviation that each channel is then divided by.")
@click.option("--layout", help="Order of its dimensions: nchw or nhwc.")
@click.option("--channels", help="Order of its colour channels: rgb or bgr.")
@click.option("--output", help="Name of the output that holds the vector.")
@click.option("--cosines", help="Three minimum cosines: of the nearest picture, of the next ones, of an accepted pair.")
@click.option("--provider", help="Where it runs: cpu, openvino or cuda.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(context: click.Context, /, file: Path, as_json: bool, **given: str | None) -> None:
    """Check whether an ONNX model can be used.

    The model is loaded in a separate process and run on two pictures. FILE may be "default", the model that comes
    with ComparImg. Options that are not given are taken from comparimg.toml if it names the same file, and from the
    file otherwise.
    """
    from daemon.configuration.config import load
    from daemon.jobs import embedding_model
    from daemon.processes.model_task import check_model
    from daemon.processes.worker_pool import WorkerLimits, WorkerPool
    from index.errors import ComparImgError, PictureError
    from index.settings import setting

    config = load(context.obj["config"])
    changes = {name: setting(f"model.{name}").check(value) for name, value in given.items() if value is not None}
    task = embedding_model.task_for(config.model, str(file), changes)
    limits = WorkerLimits(config.daemon.time_limit_s, config.daemon.memory_mb * 2**20)
    with WorkerPool(1, limits) as pool:
        try:
            report = pool.call(check_model, task)
        except PictureError as error:
            raise ComparImgError(
                "ctl.model_refused", path=file, problem=embedding_model.failure_of(error), hint=error.hint
            ) from error
    answer: dict[str, Any] = {
        "file": task.path,
        "digest": report.digest.hex(),
        "key": report.key,
        "input": f"{report.input.width}x{report.input.height} {report.input.channels} {report.input.layout}"
        f" {report.input.element}",
        "fit": report.input.fit,
        "mean": report.input.mean,
        "std": report.input.std,
        "output": report.input.output,
        "other_outputs": report.others,
        "cosines": str(report.limits),
        "dimensions": report.dimensions,
        "cosine": round(report.cosine, 4),
        "milliseconds": report.milliseconds,
        "megabytes": report.megabytes,
    }
    if as_json:
        terminal.print_json(answer)
        return
    click.echo(f"{file} can be used: finite, the same twice, different for different pictures.")
    terminal.print_table(("", ""), [(name, _shown(value)) for name, value in answer.items() if value != ()])


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(one if isinstance(one, str) else f"{one:g}" for one in value)
    return str(value)
