"""A house in which the power fails: people and programs work on it, the program is killed at any moment, and then what
must hold is checked. Everything is drawn from one seed."""

import contextlib
import hashlib
import http.client
import io
import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from daemon.client import Client
from index.database.records import matches, regrouping
from index.database.store import Store
from index.errors import ComparImgError
from support.pictures import photograph
from support.processes import family
from support.program import Program, wait_until_idle

FIRST = 24
# Of the files that are added, how many show a picture that is there already.
ALIKE = 0.5
TRASH = ".comparimg-trash"
# Before the program says that it is ready, and after.
EARLY_S = 1.0
LATE_S = 2.5
SETTLE_AT_MOST_S = 900.0


class House:
    """Photographs of which every byte is known. `kills` and `deeds` count what was done to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.photos = folder / "photos"
        self.best = folder / "best"
        self.photos.mkdir()
        self.best.mkdir()
        self.program = Program(folder, self.photos, settings={"sort": f'destinations = {{best = "{self.best}"}}'})
        self.kills = 0
        self.deeds: Counter[str] = Counter()
        # Digest -> how many files with these bytes were put anywhere; of which picture they are.
        self._placed: Counter[str] = Counter()
        self._family: dict[str, int] = {}
        self._denied: set[tuple[bytes, bytes]] = set()
        self._contents: dict[int, bytes] = {}
        self._number = 0
        self._variants: list[list[bytes]] = []
        self.add(FIRST)

    # What people do

    def add(self, count: int) -> None:
        """Put pictures into the folders: new ones, altered ones and copies of what is there."""
        for _ in range(count):
            if not self._variants or self.chance.random() > ALIKE:
                self._variants.append(list(variants(len(self._variants))))
            family = self.chance.randrange(len(self._variants))
            data = self.chance.choice(self._variants[family])
            if self.chance.random() < 0.7:
                # Bytes after the end of a JPEG make other bytes of the same picture.
                data += self.chance.randbytes(8)
            digest = hashlib.sha256(data).hexdigest()
            self._placed[digest] += 1
            self._family[digest] = family
            self._number += 1
            path = self.photos / f"d{self.chance.randrange(6)}" / f"{self._number:05}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        self.deeds["files added"] += count

    def move_some(self) -> None:
        """Rename pictures, as someone who tidies up."""
        there = [path for path in sorted(self.photos.rglob("*.jpg")) if TRASH not in path.parts]
        for path in self.chance.sample(there, min(3, len(there))):
            with contextlib.suppress(FileNotFoundError):
                self._number += 1
                path.rename(self.photos / f"moved-{self._number:05}.jpg")
                self.deeds["files moved"] += 1

    def _deny(self, client: Client) -> None:
        groups = list(client.pages("groups", 50))
        if not groups:
            return
        group = self.chance.choice(groups)
        ids = [image["id"] for image in group["images"]["items"]][:2]
        digests = [bytes.fromhex(client.get(f"images/{image}")["digest"]) for image in ids]
        if len(set(digests)) == 2:
            client.post(f"groups/{group['id']}/not-duplicates", {"images": ids})
            self._denied.add((min(digests), max(digests)))
            self.deeds["pairs denied"] += 1

    def _decide(self, client: Client) -> None:
        for group in self.chance.sample(groups := list(client.pages("groups", 50)), min(5, len(groups))):
            keeper, *others = self.chance.sample(images := group["images"]["items"], len(images))
            decisions = [{"image": keeper["id"], "choice": "keep"}]
            for image in others:
                choice = self.chance.choice(["trash", "trash", "move", "link"])
                place = {"destination": "best"} if choice == "move" else {}
                decisions.append({"image": image["id"], "choice": choice, **place})
            client.put(f"groups/{group['id']}/decisions", {"decisions": decisions})
            self.deeds["images decided"] += len(decisions)

    def _sort(self, client: Client) -> None:
        client.post("jobs", {"kind": "sort", "parameters": {}})
        self.deeds["sorts asked for"] += 1

    def _undo(self, client: Client) -> None:
        batches = list(client.pages("batches", 5))
        if batches:
            client.post(f"batches/{self.chance.choice(batches)['id']}/undo", {})
            self.deeds["undos asked for"] += 1

    def _detect(self, client: Client) -> None:
        client.post("jobs", {"kind": "detect", "parameters": {"hsize": self.chance.choice([16, 32])}})
        self.deeds["detections asked for"] += 1

    def _kill_a_worker(self, client: Client) -> None:
        for worker in family(self._process.pid)[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, 9)
            self.deeds["decoding processes killed"] += 1

    # The power

    def fail(self) -> None:
        """Start the program, let things happen, kill it at some moment, and look at what is left."""
        with self.program.begin() as process:
            self._process = process
            early = self.chance.random() < 0.25
            wait_s = self.chance.uniform(0, EARLY_S if early else LATE_S)
            try:
                if early:
                    time.sleep(wait_s)
                else:
                    address = self.program.address(process)
                    killer = threading.Timer(wait_s, process.kill)
                    killer.start()
                    try:
                        self._live(Client(address), process)
                    finally:
                        killer.join()
            finally:
                process.kill()
        self.kills += 1
        self.check()

    def _live(self, client: Client, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            deed = self.chance.choice(
                [self._deny, self._decide, self._decide, self._sort, self._undo, self._detect, self._kill_a_worker]
            )
            # Cut off in the middle, or refused for a reason that is reported to a person.
            with contextlib.suppress(ComparImgError, OSError, ValueError, http.client.HTTPException):
                deed(client)
            if self.chance.random() < 0.5:
                self.add(self.chance.randint(1, 4))
            if self.chance.random() < 0.2:
                self.move_some()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.chance.uniform(0, 0.3))

    # What must hold

    def check(self) -> None:
        """What holds at any moment, with the program dead."""
        self._check_files()
        contents = self.program.contents()
        if not contents:
            assert not self._contents
            return
        self.program.check_index()
        assert self._contents.items() <= contents.items(), "no content is lost, and none is another"
        self._contents = contents
        denied = set(self.program.ask("SELECT a_digest, b_digest FROM verdict"))
        assert self._denied <= denied, "a verdict that was answered with done is there"

    def _check_files(self) -> None:
        """Nothing that was ever put there is lost, and of each picture one is where people look for it."""
        counts: Counter[str] = Counter()
        seen: set[int] = set()
        for top in (self.photos, self.best):
            for path in top.rglob("*"):
                if path.is_file():
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    counts[digest] += 1
                    if digest in self._family and TRASH not in path.parts:
                        seen.add(self._family[digest])
        missing = {digest: count for digest, count in self._placed.items() if counts[digest] < count}
        assert not missing, f"bytes are missing: {missing}"
        assert seen >= set(self._family.values()), "all files of a picture are in the trash"

    def settle(self) -> dict[str, Any]:
        """Let the program come to rest, and look at what it knows; how it was."""
        before = len(self.program.contents())
        ended = {row[0] for row in self.program.ask("SELECT id FROM job WHERE finished_ns IS NOT NULL")}
        with self.program.running() as (process, address):
            jobs = wait_until_idle(address, SETTLE_AT_MOST_S)
            read = sum(job["outcome"].get("read", 0) for job in jobs if job["id"] not in ended)
            process.terminate()
            assert process.wait(60) == 0, "it stops when asked, with 0"
        self.check()
        new = len(self.program.contents()) - before
        assert read == new, f"{read} pictures were decoded for {new} new contents"
        failed = [job for job in jobs if job["state"] == "failed" and "while this job was running" not in job["error"]]
        assert not failed, failed
        assert self.program.ask("SELECT count(*) FROM step WHERE state = 'doing'") == [(0,)], "nothing is half done"
        assert self.program.ask("SELECT count(*) FROM concerned") == [(0,)]
        self._check_rows()
        with Store(self.program.folder / "data") as store:
            assert not store.recovered

            def regroup(database: Any) -> int:
                current = matches.current_detection(database)
                return regrouping.regroup_all(database, current.id, time.time_ns())

            assert store.write(regroup) == 0, "the groups are what they would be if they were built again"
        return {"contents": before + new, "new": new, "read": read}

    def _check_rows(self) -> None:
        """The index names the files that are there, and no other."""
        there = {os.fsencode(path) for path in self.photos.rglob("*.jpg") if TRASH not in path.parts}
        rows = {bytes(path) for (path,) in self.program.ask("SELECT path FROM image")}
        assert rows == there


def variants(family: int) -> Iterator[bytes]:
    """The JPEGs that people have of one picture: the first, smaller, mirrored, saved again."""
    picture = photograph(5000 + family, 320, 240)
    yield _jpeg(picture, 90)
    yield _jpeg(picture, 70)
    yield _jpeg(picture.resize((240, 180)), 90)
    yield _jpeg(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()
