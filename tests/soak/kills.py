"""Kills the real program at random moments, hundreds of times, and prints what held: make kill-soak RUNS=300 SEED=1."""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from support.kills import House

SETTLE_EVERY = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began_s = time.monotonic()
    print(f"seed {options.seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="comparimg-kills-")
    print(f"in {folder}, which stays there if something does not hold", flush=True)
    house = House(Path(folder), options.seed)
    settled = 0
    for run in range(1, options.runs + 1):
        house.fail()
        if run % SETTLE_EVERY == 0 or run == options.runs:
            result = house.settle()
            settled += 1
            print(f"{run:5} kills, {time.monotonic() - began_s:5.0f} s: {result}", flush=True)
    shutil.rmtree(folder)
    print(f"\n{house.kills} kills, {settled} times left to come to rest, {time.monotonic() - began_s:.0f} s")
    for deed, count in sorted(house.deeds.items()):
        print(f"  {count:6} {deed}")
    for held in HELD:
        print(f"  held every time: {held}")


HELD = (
    "the index is whole (integrity_check, foreign_key_check)",
    "no content is lost, changed or known twice",
    "every verdict that was answered is there",
    "every file ever placed is there byte for byte, and one of each picture is outside the trash",
    "left alone, it comes to rest: no job hangs, no step is half done",
    "then the rows are the files, and the groups are those made from nothing",
)

if __name__ == "__main__":
    main()
