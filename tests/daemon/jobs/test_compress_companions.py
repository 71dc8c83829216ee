"""What belongs to an image whose compression changes its name goes along, and is never lost or parted from it."""

import errno
from pathlib import Path

import pytest

from daemon.ctl import oneshot_compress
from daemon.files import removal
from daemon.jobs import compress
from daemon.jobs.progress import NullProgress
from support.compress_faults import Scene, _killed, without_processes
from support.pictures import photograph, save

SIDECARS = {"x.jpg.xmp": b"rating", "x.jpg.supplemental-metadata.json": b"place", "x_01.jpg.xmp": b"second version"}
RENAMED = {
    "modify, converted": {
        "x.webp.xmp": b"rating", "x.webp.supplemental-metadata.json": b"place", "x_01.webp.xmp": b"second version",
    },
    "delete": {
        "x_resize.jpg.xmp": b"rating", "x_resize.jpg.supplemental-metadata.json": b"place",
        "x_resize_01.jpg.xmp": b"second version",
    },
}  # fmt: skip
MODES = pytest.mark.parametrize("mode", RENAMED)


def scene_with(folder: Path, mode: str, beside: dict[str, bytes] | None = None) -> Scene:
    scene = Scene(folder, mode)
    for name, data in (SIDECARS if beside is None else beside).items():
        (scene.photos / name).write_bytes(data)
    return scene


def visible(scene: Scene) -> dict[str, bytes]:
    """What a person sees, images apart."""
    return {
        name: data
        for name, data in scene.files().items()
        if not name.startswith(".") and not name.endswith((".jpg", ".webp", ".png"))
    }


def undo(scene: Scene) -> None:
    oneshot_compress.undo(None, (), scene.data, scene.config, NullProgress())


@MODES
def test_they_go_along_and_come_back(tmp_path: Path, mode: str) -> None:
    scene = scene_with(tmp_path, mode)
    with without_processes():
        outcome = scene.run().outcome
        assert outcome["compressed"] == 1
        assert visible(scene) == RENAMED[mode]
        undo(scene)
    assert visible(scene) == SIDECARS
    assert scene.source.read_bytes() == scene.bytes


def test_what_keeps_its_name_or_belongs_to_another_as_well_stays(tmp_path: Path) -> None:
    scene = scene_with(tmp_path, "modify, converted", {"x.xmp": b"of the stem", "x.MOV": b"film", "y.jpg.xmp": b"of y"})
    with without_processes():
        scene.run()
    assert visible(scene) == {"x.xmp": b"of the stem", "x.MOV": b"film", "y.jpg.xmp": b"of y"}

    other = scene_with(tmp_path / "other", "delete", {"x.xmp": b"of both", "x.jpg.xmp": b"its own"})
    save(photograph(2, 64, 64), other.photos / "x.png")
    with without_processes():
        other.run()
    assert visible(other) == {"x.xmp": b"of both", "x_resize.jpg.xmp": b"its own"}


def test_the_json_of_takeout_goes_with_the_picture_that_it_names_and_not_with_an_edited_one(tmp_path: Path) -> None:
    scene = scene_with(tmp_path, "modify, converted", {"x.jpg.json": b"place"})
    save(photograph(2, 64, 64), scene.photos / "x-edited.jpg")
    with without_processes():
        scene.run()
    assert visible(scene) == {"x.webp.json": b"place"}


@pytest.mark.parametrize("mode", ["beside", "modify"])
def test_where_the_image_keeps_its_name_nothing_moves(tmp_path: Path, mode: str) -> None:
    scene = scene_with(tmp_path, mode)
    with without_processes():
        assert scene.run().outcome["compressed"] == 1
    assert visible(scene) == SIDECARS


@MODES
def test_a_name_that_is_taken_is_not_overwritten(tmp_path: Path, mode: str) -> None:
    taken = next(iter(RENAMED[mode]))
    scene = scene_with(tmp_path, mode, {"x.jpg.xmp": b"rating", taken: b"another file"})
    with without_processes():
        scene.run()
    assert visible(scene)[taken] == b"another file"
    assert visible(scene)["x.jpg.xmp"] == b"rating"


@MODES
def test_a_picture_that_is_not_compressed_keeps_them(tmp_path: Path, mode: str) -> None:
    scene = scene_with(tmp_path, mode)
    scene.source.write_bytes(scene.bytes[:2000])
    with without_processes():
        scene.run()
    assert visible(scene) == SIDECARS


@MODES
def test_one_that_changes_meanwhile_stays(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_with(tmp_path, mode, {"x.jpg.xmp": b"rating"})
    make_plan = compress.make_plan

    def edited(*arguments: object) -> object:
        plan = make_plan(*arguments)  # type: ignore[arg-type]
        (scene.photos / "x.jpg.xmp").write_bytes(b"another rating")
        return plan

    monkeypatch.setattr(compress, "make_plan", edited)
    with without_processes():
        scene.run()
    assert visible(scene) == {"x.jpg.xmp": b"another rating"}


@MODES
@pytest.mark.parametrize("fails", ["the source does not go", "the sidecar does not move"])
def test_a_step_that_fails_leaves_everything_somewhere(
    tmp_path: Path, mode: str, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scene_with(tmp_path, mode, {"x.jpg.xmp": b"rating"})
    wanted = "x.jpg" if fails == "the source does not go" else "x.jpg.xmp"
    rename = removal.renameat2

    def failing(*arguments: object) -> object:
        if wanted.encode() in arguments:
            raise OSError(errno.EIO, "Input/output error")
        return rename(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(removal, "renameat2", failing)
    with without_processes():
        scene.run()
    assert visible(scene) == {"x.jpg.xmp": b"rating"}
    assert scene.bytes in scene.files().values()


@pytest.mark.slow
@MODES
@pytest.mark.parametrize("after", [False, True])
def test_killed_anywhere_nothing_is_lost(tmp_path: Path, mode: str, after: bool) -> None:
    with without_processes():
        for number in range(int(after), 500, 7):
            scene = scene_with(tmp_path / str(number), mode, {"x.jpg.xmp": b"rating"})
            if _killed(scene, number, after) is None:
                break
            happened, lost = scene.judge()
            assert lost == "nothing", (number, happened)
            assert list(scene.files().values()).count(b"rating") == 1
