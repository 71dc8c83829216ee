"""comparimg-ctl model: whether a model can be used, without a daemon."""

from pathlib import Path
from typing import Any

import click

from daemon import terminal


def register(program: click.Group) -> None:
    program.add_command(model)


@click.group()
def model() -> None:
    """The model that finds pictures alike."""


@model.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--size", help="Pixels that it takes, 224x224 for example.")
@click.option("--fit", help="How a picture fills them: stretch, crop or pad.")
@click.option("--mean", help="What is subtracted from each channel of 0 to 255.")
@click.option("--std", help="What it is divided by then.")
@click.option("--layout", help="The order of its dimensions: nchw or nhwc.")
@click.option("--channels", help="The order of its colours: rgb or bgr.")
@click.option("--output", help="The output that is the vector.")
@click.option("--cosines", help="The least cosine: of the nearest, of the next, of a pair that is let through.")
@click.option("--provider", help="What it runs on: cpu, openvino or cuda.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.pass_context
def check(context: click.Context, /, file: Path, as_json: bool, **given: str | None) -> None:
    """Load an ONNX file in a process of its own, run it on two pictures, and report what it gives.

    FILE may be "default", the model that comes with ComparImg. What is not given is taken from comparimg.toml where
    that names the same file, else from the file.
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
    terminal.print_table(("", ""), [(name, _shown(value)) for name, value in answer.items()])


def _shown(value: Any) -> str:
    return ", ".join(f"{number:g}" for number in value) if isinstance(value, tuple) else str(value)
