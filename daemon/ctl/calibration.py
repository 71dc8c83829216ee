"""comparimg-ctl calibration: what each tolerance makes expect of this library."""

from typing import Any

import click

from daemon import terminal
from daemon.ctl.remote import as_json, client
from index.model import HSIZES

# Of the tolerances that are told where none is asked for, the parts of the bits.
STEPS = 16
# Fewer pairs than this are none.
SMALLEST = 0.01


def register(program: click.Group) -> None:
    program.add_command(calibration)


@click.command()
@click.option("-s", "--hsize", type=click.Choice([str(h) for h in HSIZES]), default="16", help="Hash size. [16]")
@click.option("-t", "--tolerance", type=click.IntRange(0), help="Only this one, in bits.")
@click.option("--no-turns", is_flag=True, help="As expected where no turned copies are looked for.")
@as_json
@click.pass_context
def calibration(context: click.Context, hsize: str, tolerance: int | None, no_turns: bool, in_json: bool) -> None:
    """Tell how many wrong pairs a tolerance would propose, and how many the verifier lets through."""
    asked = {"hsize": hsize, "turns": "false" if no_turns else "true", "tolerance": tolerance}
    told = client(context).get("calibration", **asked)
    if in_json:
        terminal.print_json(told)
        return
    if told["measured"] is None:
        click.echo("Nothing is measured yet: it is done at the end of a detection (comparimg-ctl run detect).")
        return
    click.echo(
        f"measured on {told['pairs']} pairs of {told['images']} images; of {told['judged']} unrelated pairs the"
        f" verifier took {told['accepted']} for the same picture"
    )
    step = 1 if tolerance is not None else max(1, int(hsize) ** 2 // 16 // STEPS * 4)
    rows = [
        (one["tolerance"], _interval(one["proposed"]), _interval(one["let_through"])) for one in told["items"][::step]
    ]
    terminal.print_table(("tolerance", "wrong pairs proposed", "let through"), rows)


def _interval(told: Any) -> str:
    if told["high"] < SMALLEST:
        return "none"
    return f"{told['guess']:.2f} ({told['low']:.2f} to {told['high']:.2f})"
