"""The model's proposals: in every method, from scratch and piece by piece the same, and without a model by hash."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.configuration.config import defaults
from daemon.jobs.detect import Detector
from daemon.jobs.embedding_model import EmbeddingModel
from daemon.machine import model_checks
from daemon.machine.checks import Grade
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.records import random_pairs, vectors
from index.model import DetectParameters, Method
from support import onnx_models as onnx
from support.detections import Detections
from support.library import Library
from support.pictures import photograph, save

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, WorkerLimits(time_limit_s=5, memory_bytes=2 * 2**30)) as opened:
        yield opened


class WithModel(Detections):
    """A library whose detector has a model; `method` is that of the settings."""

    def __init__(self, library: Library, model: Path, method: Method = Method.HASH_AND_MODEL) -> None:
        super().__init__(library)
        self.file = model
        self.method = method
        self.start()

    def start(self) -> None:
        """As after a start of the service."""
        section = msgspec.structs.replace(defaults().model, file=str(self.file))
        self.model = EmbeddingModel(self.library.store, self.library.pool, section)
        previews = self.detector._previews
        self.detector = Detector(
            self.library.store, self.pool, previews, lambda: DetectParameters(method=self.method), self.model
        )  # fmt: skip

    def state(self) -> vectors.ModelState:
        with self.library.store.read() as database:
            found = vectors.model_state(database)
        assert found is not None
        return found

    def evidence(self) -> dict[str, Any]:
        """By name, of every image in a group but the reference."""
        return {
            image["path"]: image["evidence"]
            for group in self.result()["groups"]
            for image in group["images"]
            if "evidence" in image
        }


@pytest.fixture
def with_model(library: Library, tmp_path: Path) -> WithModel:
    (tmp_path / "model.onnx").write_bytes(onnx.thumbnail_model())
    return WithModel(library, tmp_path / "model.onnx")


def add(folder: Path, seed: int, name: str, crop: float = 0.0) -> None:
    """A photograph, or a part of it: of all sides but the left so much is cut off."""
    picture = photograph(seed, 400, 300)
    width, height = picture.size
    box = (0, int(height * crop / 2), int(width * (1 - crop)), int(height * (1 - crop / 2)))
    save(picture.crop(box) if crop else picture, folder / name, quality=92)
    os.utime(folder / name, ns=(10**18, 10**18))


def names(found: WithModel) -> list[set[str]]:
    return sorted((set(group) for group in found.groups()), key=sorted)


def test_a_crop_that_no_hash_finds_is_found_by_the_model_and_says_so(with_model: WithModel) -> None:
    for seed in (1, 2, 3):
        add(with_model.photos, seed, f"{seed}.jpg")
    add(with_model.photos, 1, "1 cut.jpg", crop=0.25)
    with_model.library.scan()
    with_model.detect(method=Method.HASH)
    assert names(with_model) == []
    with_model.detect()
    assert names(with_model) == [{"1.jpg", "1 cut.jpg"}]
    evidence = with_model.evidence()["1 cut.jpg"]
    assert 0.55 <= evidence["cosine"] < 1 and "crop" in evidence
    # Of six pairs, five are unrelated.
    with with_model.library.store.read() as database:
        measured = random_pairs.read(database)
    assert measured is not None and len(measured.vector_distances()) == 5


def test_the_model_alone_finds_turned_copies_and_without_the_verifier_they_are_only_possible(
    with_model: WithModel,
) -> None:
    add(with_model.photos, 1, "1.jpg")
    add(with_model.photos, 2, "2.jpg")
    save(photograph(1, 400, 300).rotate(180), with_model.photos / "1 turned.jpg", quality=90)
    with_model.library.scan()
    with_model.detect(method=Method.MODEL)
    assert names(with_model) == [{"1.jpg", "1 turned.jpg"}]
    with_model.detect(method=Method.MODEL, verify=False)
    (group,) = with_model.result()["groups"]
    assert group["kind"] == "possible"
    assert with_model.evidence().popitem()[1]["reason"] == "alike"
    with_model.detect(method=Method.MODEL, turns=False)
    assert names(with_model) == []


def test_behind_the_hash_the_model_takes_away_what_is_not_alike(with_model: WithModel, tmp_path: Path) -> None:
    add(with_model.photos, 1, "1.jpg")
    add(with_model.photos, 2, "2.jpg")
    save(photograph(1, 400, 300).resize((320, 240)), with_model.photos / "1 small.jpg", quality=80)
    with_model.library.scan()
    with_model.detect(method=Method.HASH_THEN_MODEL, verify=False, turns=False, tolerance=256)
    kept = with_model.evidence()
    assert set(kept) == {"1 small.jpg"} and kept["1 small.jpg"]["cosine"] > 0.95
    assert all(one["cosine"] >= 0.5 for one in kept.values())


def test_what_the_hash_proposes_is_verified_in_the_order_of_the_model(
    with_model: WithModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, crops in ((1, (0.0, 0.04)), (2, (0.0, 0.01)), (3, (0.0, 0.02))):
        for crop in crops:
            add(with_model.photos, seed, f"{seed} {crop}.jpg", crop)
    with_model.library.scan()
    asked: list[tuple[int, int]] = []
    compared = with_model.detector._verifier._compared
    run = compared.run

    def recorded(function: Any, items: Iterator[Any], *more: Any) -> Any:
        tasks = list(items)
        asked.extend(pair for pair, _ in tasks)
        return run(function, tasks, *more)

    monkeypatch.setattr(compared, "run", recorded)
    with_model.detect(method=Method.HASH_THEN_MODEL)
    with with_model.library.store.read() as database:
        rows = database.execute_sql("SELECT a_id, b_id, evidence FROM match").fetchall()
    cosines = {(a, b): json.loads(evidence)["cosine"] for a, b, evidence in rows}
    assert len(cosines) == 3
    ranks = [cosines[pair] for pair in dict.fromkeys(asked) if pair in cosines]
    assert len(set(ranks)) == 3 and ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize("method", [Method.HASH_AND_MODEL, Method.MODEL])
def test_piece_by_piece_gives_what_from_scratch_does(with_model: WithModel, method: Method) -> None:
    with_model.method = method
    for seed, crop in ((1, 0.0), (2, 0.2), (3, 0.0), (1, 0.2), (4, 0.0), (2, 0.0), (1, 0.1)):
        add(with_model.photos, seed, f"{seed} {crop}.jpg", crop)
        with_model.scan()
        if crop == 0.2:
            with_model.start()
    (with_model.photos / "1 0.1.jpg").unlink()
    with_model.scan()
    add(with_model.photos, 1, "1 0.1.jpg", 0.1)
    with_model.scan()
    bit_by_bit = with_model.result()
    with_model.detect()
    assert with_model.result() == bit_by_bit
    assert [set(group) for group in with_model.groups()]


def test_another_model_embeds_again_and_the_vectors_of_the_first_go(with_model: WithModel) -> None:
    add(with_model.photos, 1, "1.jpg")
    add(with_model.photos, 1, "cut.jpg", 0.25)
    with_model.scan()
    before = with_model.state().key
    assert names(with_model) == [{"1.jpg", "cut.jpg"}]
    with_model.file.write_bytes(onnx.thumbnail_model(cells=4))
    with_model.scan()
    assert with_model.state().key != before and with_model.state().dimensions == 48
    with with_model.library.store.read() as database:
        rows = database.execute_sql("SELECT model, length(data) FROM vector").fetchall()
    assert rows == [(with_model.state().key, 48)] * 2
    assert names(with_model) == [{"1.jpg", "cut.jpg"}]


@pytest.mark.parametrize("name", ["nothing", "a path upwards", "no number", "a tensor of 160 GB"])
def test_a_model_that_fails_leaves_the_hashes_and_is_named(with_model: WithModel, name: str) -> None:
    add(with_model.photos, 1, "1.jpg")
    save(photograph(1, 400, 300), with_model.photos / "same.jpg", quality=60)
    add(with_model.photos, 1, "cut.jpg", 0.25)
    with_model.file.write_bytes(onnx.HOSTILE[name])
    with_model.scan()
    assert names(with_model) == [{"1.jpg", "same.jpg"}]
    assert with_model.state().failure is not None
    # In order again, it is used again.
    with_model.file.write_bytes(onnx.thumbnail_model())
    with_model.scan()
    assert names(with_model) == [{"1.jpg", "same.jpg", "cut.jpg"}]
    assert with_model.state().failure is None


def test_a_model_that_fails_on_the_way_leaves_the_hashes(
    with_model: WithModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(1, 7):
        add(with_model.photos, seed, f"{seed}.jpg")
    save(photograph(1, 400, 300), with_model.photos / "same.jpg", quality=60)
    with_model.library.scan()
    assert with_model.model.decide(Method.MODEL)[0] is Method.MODEL
    # The file is another one than when it was checked, with all that a glance shows as before.
    monkeypatch.setattr("daemon.jobs.embedding_model._identity", lambda path: with_model.model._seen)
    data = bytearray(onnx.thumbnail_model())
    data[data.index(b"comparimg.mean") + len(b"comparimg.mean") + 3] ^= 1
    with_model.file.write_bytes(data)
    with_model.detect()
    assert names(with_model) == [{"1.jpg", "same.jpg"}]
    assert with_model.state().failure is not None
    assert with_model.state().failure.code == "model.changed"


def test_auto_is_by_hash_where_the_model_is_slow_or_absent(
    with_model: WithModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_model.model.decide(Method.AUTO)[0] is Method.HASH_AND_MODEL
    monkeypatch.setattr("index.database.records.vectors.MOST_MILLISECONDS", 0.0)
    assert with_model.model.decide(Method.AUTO) == (Method.HASH, "")
    daemon = msgspec.structs.replace(defaults().daemon, data_dir=with_model.library.store.data_dir)
    section = msgspec.structs.replace(defaults().model, file=str(with_model.file))
    (finding,) = model_checks.model(msgspec.structs.replace(defaults(), daemon=daemon, model=section))
    assert finding.grade is Grade.NOTE and "hashes only" in str(finding.message)
    assert with_model.model.decide(Method.HASH_AND_MODEL)[0] is Method.HASH_AND_MODEL
    assert with_model.model.decide(Method.HASH) == (Method.HASH, "")
    shutil.move(with_model.file, with_model.file.with_suffix(".away"))
    assert with_model.model.decide(Method.MODEL) == (Method.HASH, "")
    assert with_model.state().failure is not None


def test_a_broken_preview_is_made_again(with_model: WithModel) -> None:
    add(with_model.photos, 1, "1.jpg")
    with_model.scan()
    previews = [file for file in (with_model.library.store.data_dir / "views").rglob("*") if file.is_file()]
    assert previews
    for file in previews:
        file.write_bytes(b"broken\xff\xd9")
    with_model.library.store.write(lambda db: vectors.remove_vectors(db, [1]))
    add(with_model.photos, 1, "cut.jpg", 0.25)
    with_model.library.scan()
    with_model.start()
    with_model.detect()
    assert names(with_model) == [{"1.jpg", "cut.jpg"}]
