"""A pool and a library over it, for the tests of what lives."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.ctl.main import main
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from support.library import Library
from support.sorting import Desk
from support.terminal import Answer, Ctl


@pytest.fixture(scope="session")
def pool():
    """Two decoding processes for all tests: a start costs a third of a second."""
    with WorkerPool(2, WorkerLimits(time_limit_s=20, memory_bytes=2 * 2**30)) as opened:
        yield opened


@pytest.fixture
def library(tmp_path: Path, pool: WorkerPool):
    made = Library(tmp_path, pool)
    yield made
    made.store.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a folder with a file of an image's name."""
    folder = tmp_path / "photos"
    (folder / "2020").mkdir(parents=True)
    (folder / "2020" / "old.jpg").write_bytes(b"old")
    return folder


@pytest.fixture
def desk(tmp_path: Path, pool: WorkerPool) -> Iterator[Desk]:
    made = Desk(tmp_path, pool)
    yield made
    made.close()


@pytest.fixture
def pair(desk: Desk) -> tuple[Path, Path]:
    """A picture and a smaller copy of it, indexed and in one group."""
    kept = desk.picture("photos/a.jpg", 1)
    copy = desk.picture("photos/small/a.jpg", 1, (200, 150), 80)
    desk.scan()
    assert list(desk.groups().values()) == [["photos/a.jpg", "photos/small/a.jpg"]]
    return kept, copy


@pytest.fixture
def ctl_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ctl:
    """The program, run in this process and in a folder and a home of its own."""
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("COMPARIMG_CONFIG", raising=False)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")

    def ask(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return Answer(int(ended.value.code or 0), *capsys.readouterr())

    return ask
