"""How the verifier judges screens and pages: pairs with another text, none of which may be near, and copies of one.

They are rendered with the fonts of this machine. With a folder of photographs, lock screens over these as well.
"""

import argparse
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice

# As in the workers: the threads of a matrix product would be counted, and wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2

from index.imaging.verification.verify import judge, prepare
from index.model import TURNS, default_tolerance
from samples.photographs import add_folder, photographs
from samples.seen import HSIZE, Seen
from samples.text_pages import COPIES, PAIRS, Pair, lock_screens

LONG_SIDE = 1600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_folder(parser, "photographs, for lock screens")
    parser.add_argument("--pairs", type=int, default=40, help="as many of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", default="", help="only kinds whose names begin so")
    parser.add_argument("--list", action="store_true", help="list what is judged wrongly")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("| pair | copies | pairs | proposed | near | possible | ms a pair |\n|---|---|---|---|---|---|---|")
    for copies, kinds in ((False, PAIRS), (True, COPIES)):
        for name, make in kinds.items():
            if name.startswith(options.kind):
                report(name, copies, [make] * options.pairs, options)
    if options.folder and "lock screen".startswith(options.kind):
        wallpapers = (picture for _, picture in islice(photographs(options.folder, LONG_SIDE, 2), options.pairs))
        report("lock screen", False, [lock_screens(wallpaper) for wallpaper in wallpapers], options)


def report(name: str, copies: bool, makers: list[Callable[[random.Random], Pair]], options: argparse.Namespace) -> None:
    kinds: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    spent_s, wrong = 0.0, []
    for number, make in enumerate(makers):
        first, second = (Seen(data) for data in make(random.Random(f"{options.seed} {name} {number}")))
        distance, turn = first.distance(second)
        if distance > default_tolerance(HSIZE):
            continue
        start_s = time.process_time()
        said = judge(prepare(first.view), prepare(second.view), first.facts, second.facts, TURNS[turn])
        spent_s += time.process_time() - start_s
        kinds["proposed"] += 1
        kinds[str(said.kind or "")] += 1
        if (said.kind == "near") != copies:
            gates = [f"{gate.name} {gate.value}" for gate in said.gates if not gate.passed]
            failed.update(gate.split()[0] for gate in gates)
            wrong.append(f"    {number}: {said.kind} {', '.join(gates)} {said.evidence}")
    each_ms = 1000 * spent_s / max(1, kinds["proposed"])
    counts = f"{len(makers)} | {kinds['proposed']} | {kinds['near']} | {kinds['possible']} | {each_ms:.1f}"
    print(f"| {name} | {'yes' if copies else 'no'} | {counts} |", flush=True)
    if options.list:
        print("\n".join([*wrong, *([f"    {dict(failed)}"] if failed else [])]), flush=True)


if __name__ == "__main__":
    main()
