"""Whatever is decided about images that share companions, whatever is in their way, and whichever image cannot go:
no companion parts from an image that stays, each is next to its own under a matching name, and all of it comes back.

Hypothesis makes the folders. Every file has bytes of its own, by which it is known again.
"""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from PIL import Image

from daemon.processes.worker_pool import WorkerLimits
from index.imaging.discovery.companions import images_behind, owners_of, renamed
from support.inline_pool import InlinePool
from support.sorting import Desk

STEMS = ("IMG_1", "IMG_2")
IMAGES = ("jpg", "png", "bmp")
# Behind the stem of an image.
COMPANIONS = (".xmp", ".AAE", ".mov", ".CR2", ".jpg.xmp", ".png.xmp", ".CR2.xmp")
IN_THE_WAY = (".jpg", ".png", ".xmp", " (2).xmp", " (2).mov", " (2).jpg")


@dataclass
class Scene:
    """Files of two folders: `images` with what is decided about each, and whether it can go; `companions` of them; what
    is `in_the_way` at the destination, and what a person puts where an image was (`newer`)."""

    images: dict[str, str]
    stuck: set[str]
    companions: list[str]
    in_the_way: list[str]
    newer: list[str]
    one_by_one: bool = False
    order: list[int] = field(default_factory=list)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    places = [f"{folder}/{stem}" for folder in "xy" for stem in STEMS[: 2 if folder == "x" else 1]]
    images: dict[str, str] = {}
    companions: list[str] = []
    for place in places:
        endings = draw(st.lists(st.sampled_from(IMAGES), unique=True, max_size=3))
        images |= {f"{place}.{ending}": draw(st.sampled_from(["trash", "move", "move", "stay"])) for ending in endings}
        if endings:
            beside = draw(st.lists(st.sampled_from(COMPANIONS), unique=True, max_size=4))
            companions += [place + one for one in beside]
    names = sorted(images)
    at_most_one = st.lists(st.sampled_from(names), unique=True, max_size=1) if names else st.just([])
    away = [*names, *companions]
    return Scene(
        images, set(draw(at_most_one)), companions,
        [STEMS[0] + one for one in draw(st.lists(st.sampled_from(IN_THE_WAY), unique=True, max_size=3))],
        draw(st.lists(st.sampled_from(away), unique=True, max_size=2)) if away else [],
        draw(st.booleans()), draw(st.permutations(range(len(names)))),
    )  # fmt: skip


class Stage:
    """A scene on the disk."""

    def __init__(self, folder: Path, scene: Scene) -> None:
        self.scene = scene
        self.desk = Desk(folder, InlinePool(1, WorkerLimits()))  # type: ignore[arg-type]
        self.origin: dict[bytes, str] = {}  # of each file by its bytes
        self.keepers: dict[str, Path] = {}
        self.gone: set[str] = set()  # of those, what the sort took away
        for number, name in enumerate(scene.images):
            path = self._picture(name, number)
            # In a folder of its own, with the same RAW and film next to it, so that these may go.
            keeper = self.desk.photos / "kept" / str(number) / f"k{path.suffix}"
            keeper.parent.mkdir(parents=True)
            keeper.write_bytes(path.read_bytes() + b"\0")
            self.keepers[name] = keeper
            for companion in scene.companions:
                if companion in (os.path.splitext(name)[0] + ".mov", os.path.splitext(name)[0] + ".CR2"):
                    keeper.with_suffix(companion[-4:]).write_bytes(companion.encode())
        for name in scene.companions:
            path = self.desk.photos / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(name.encode())
            self.origin[path.read_bytes()] = name
        for name in scene.in_the_way:
            (self.desk.best / name).write_bytes(b"in the way: " + name.encode())

    def _picture(self, name: str, seed: int) -> Path:
        pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
        path = self.desk.photos / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
        self.origin[path.read_bytes()] = name
        return path

    def decide(self) -> None:
        self.desk.scan()
        choices = {self.desk.photos / image: choice for image, choice in self.scene.images.items() if choice != "stay"}
        self.desk.decide(choices)
        for name in self.scene.stuck:  # its keeper rots: size and time are as before
            status = self.keepers[name].stat()
            self.keepers[name].write_bytes(b"\0" * status.st_size)
            os.utime(self.keepers[name], ns=(status.st_atime_ns, status.st_mtime_ns))

    def files(self) -> dict[str, bytes]:
        return {name: data for name, data in self.desk.files().items() if not name.startswith("photos/kept/")}

    def now(self) -> dict[str, str]:
        """Where each file of the two folders is, below the desk's folder: by where it was."""
        return {self.origin[data]: name for name, data in self.files().items() if data in self.origin}

    def images_of(self, companion: str) -> list[str]:
        folder, name = os.path.split(companion)
        near = [one for one in (*self.scene.images, *self.scene.companions) if os.path.dirname(one) == folder]
        images = images_behind(name.encode(), [os.path.basename(one).encode() for one in near])
        return [os.path.join(folder, one.decode()) for one in images]

    def check_match(self, companion: str, image: str) -> None:
        """A companion is next to its image, and has the name that goes with that one's."""
        places = self.now()
        names = [os.path.basename(one).encode() for one in (companion, image, places[image])]
        assert places[companion] == os.path.join(os.path.dirname(places[image]), renamed(*names).decode())

    def check_ties(self, folder: str) -> None:
        """No file of ours is bound to one of someone else's, nor the other way round."""
        ours = {name for name in self.now().values() if os.path.dirname(name) == folder}
        there = {name for name in self.files() if os.path.dirname(name) == folder}
        for name in there:
            pictures = [os.path.basename(one).encode() for one in there]
            for owner in owners_of(os.path.basename(name).encode(), pictures):
                assert (name in ours) == (os.path.join(folder, owner.decode()) in ours), (name, owner)

    def check_sorted(self) -> None:
        places = self.now()
        for name, choice in self.scene.images.items():
            goes = choice != "stay" and name not in self.scene.stuck
            assert (places[name] != f"photos/{name}") is goes, name
            if goes and choice == "move":
                assert os.path.dirname(places[name]) == "best"
        for name in self.scene.companions:
            images = self.images_of(name)
            if any(places[one] == f"photos/{one}" for one in images) or not images:
                assert places[name] == f"photos/{name}", "an image that it belongs to stays"
                continue
            assert places[name] != f"photos/{name}", "all its images went"
            moved = [one for one in images if os.path.dirname(places[one]) == "best"]
            for image in moved:
                self.check_match(name, image)
            assert bool(moved) or ".comparimg-trash" in places[name]
        self.check_ties("best")

    def put_newer(self) -> list[str]:
        """Put files of a person's where some were that went."""
        self.gone = {name for name, place in self.now().items() if place != f"photos/{name}"}
        names = [name for name in self.scene.newer if name in self.gone]
        for name in names:
            (self.desk.photos / name).write_bytes(b"newer: " + name.encode())
        return names

    def undo(self, batch: int) -> None:
        if not self.scene.one_by_one:
            self.desk.undo(batch)
            return
        by_path = {os.fsdecode(step.path): step.id for step in self.desk.steps(batch) if step.image_id is not None}
        names = sorted(self.scene.images)
        for number in self.scene.order:
            step = by_path.get(str(self.desk.photos / names[number]))
            if step is not None:
                self.desk.undo(batch, steps=[step])

    def check_undone(self, newer: list[str]) -> None:
        places = self.now()
        for name in newer:
            assert (self.desk.photos / name).read_bytes() == b"newer: " + name.encode(), "nothing is overwritten"
        for name in self.scene.images:
            assert os.path.dirname(places[name]) == os.path.join("photos", os.path.dirname(name)), "it is back"
        for name in self.scene.companions:
            images = self.images_of(name)
            if not images:
                continue
            matching = [one for one in images if self._matches(name, one)]
            assert matching, "it is with an image of its own"
            if self.scene.one_by_one or name not in self.gone:
                continue
            assert matching == images, "it is with all of them"
            folder, own = os.path.split(places[name])
            near = [one for one in newer if os.path.join("photos", os.path.dirname(one)) == folder]
            assert owners_of(own.encode(), [os.path.basename(one).encode() for one in near]) == [], "and with no other"

    def _matches(self, companion: str, image: str) -> bool:
        try:
            self.check_match(companion, image)
        except AssertionError:
            return False
        return True


@pytest.mark.slow
@settings(
    max_examples=int(os.environ.get("COMPARIMG_SOAK_EXAMPLES", "15")), deadline=None, database=None,
    derandomize="COMPARIMG_SOAK_EXAMPLES" not in os.environ, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # to shorten an example takes minutes
)  # fmt: skip
@given(scenes())
def test_companions_stay_with_their_images(scene: Scene) -> None:
    with tempfile.TemporaryDirectory(prefix="comparimg-companions-") as folder:
        stage, batch = Stage(Path(folder), scene), 0
        try:
            stage.decide()
            before = stage.files()
            batch = stage.desk.sort()["batch"]
            stage.check_sorted()
            newer = stage.put_newer()
            stage.undo(batch)
            if newer:
                stage.check_undone(newer)
            else:
                assert stage.files() == before
        except AssertionError:
            note("\n".join(map(str, (scene, *sorted(stage.now().items()), *stage.desk.steps(batch)))))
            raise
        finally:
            stage.desk.close()
