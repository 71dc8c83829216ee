"""comparimg-ctl calibration: the expected false matches of each tolerance in this library."""

from typing import Any

import click

from daemon import terminal
from daemon.ctl.remote import client, json_option
from index.messages import Message
from index.model import HSIZES

# Without --tolerance, the number of bits is divided into this many rows.
STEPS = 16
# Fewer expected pairs than this count as none.
SMALLEST = 0.01


def register(program: click.Group) -> None:
    program.add_command(calibration)


@click.command()
@click.option("-s", "--hsize", type=click.Choice([str(h) for h in HSIZES]), default="16", help="Hash size. [16]")
@click.option("-t", "--tolerance", type=click.IntRange(0), help="Only this tolerance, in bits.")
@click.option("--no-turns", is_flag=True, help="For a search without mirrored and rotated copies.")
@json_option
@click.pass_context
def calibration(context: click.Context, hsize: str, tolerance: int | None, no_turns: bool, in_json: bool) -> None:
    """Show the expected number of false matches for each tolerance."""
    asked = {"hsize": hsize, "turns": "false" if no_turns else "true", "tolerance": tolerance}
    report = client(context).get("calibration", **asked)
    if in_json:
        terminal.print_json(report)
        return
    if report["measured"] is None:
        terminal.say(Message("console.not_measured"))
        return
    measured = {name: report[name] for name in ("pairs", "images", "judged", "accepted")}
    terminal.say(Message("console.measured", **measured))
    step = 1 if tolerance is not None else max(1, int(hsize) ** 2 // 16 // STEPS * 4)
    rows = [
        (item["tolerance"], _interval(item["proposed"]), _interval(item["let_through"]))
        for item in report["items"][::step]
    ]
    terminal.print_table(("tolerance", "wrong pairs proposed", "accepted"), rows)
    if tolerance is None and report["cosines"]:
        terminal.print_table(
            ("cosine", "wrong pairs"),
            [(f"{item['cosine']:.2f}", _interval(item["proposed"])) for item in report["cosines"]],
        )


def _interval(estimate: Any) -> str:
    if estimate["high"] < SMALLEST:
        return terminal.sentence(Message("console.none"))
    numbers = {name: round(estimate[name], 2) for name in ("guess", "low", "high")}
    return terminal.sentence(Message("console.interval", **numbers))
