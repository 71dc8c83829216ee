"""The fault table of compression: each fault made to happen to a real run, and what was lost by it.

    make fault-table

A run is a process of its own, forked from this one, which a kill ends for real. Then this process does what the next
start does, and looks at every byte: the source is at its place, or a result that was checked represents it and undo
brings the source back.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from daemon.configuration.config import Config, load
from daemon.ctl import oneshot_compress
from daemon.jobs import compress
from daemon.jobs.progress import NullProgress
from daemon.processes.worker_pool import WorkerPool
from index.database.records.jobs import CompressParameters
from index.errors import ComparImgError
from index.imaging.decoding import pictures
from support import faults, misbehaviour, privileges
from support.faults import small_disk
from support.inline_pool import InlinePool
from support.pictures import photograph, save

MODES = {
    "beside": {},
    "modify": {"modify_source": True},
    "delete": {"delete_source": True},
    "modify, converted": {"modify_source": True, "format": "webp"},
}
CHILD_LIMIT_S = 60
GIVEN = {"quality": 80, "resolution": "400x400", "size_threshold_mb": 0.0, "least_gain": 0.0}


@dataclass
class Row:
    """One line of the table."""

    fault: str
    mode: str
    at: str
    happened: str
    lost: str


class Scene:
    """A folder with a picture, and an index of one-shot runs."""

    def __init__(self, folder: Path, mode: str, photos: Path | None = None) -> None:
        self.folder = folder
        self.mode = mode
        self.size: tuple[int, int] | None = (320, 240)
        self.photos = photos or folder / "photos"
        self.photos.mkdir(parents=True, exist_ok=True)
        self.data = folder / "state"
        # No PNG: the threads that pack one do not live on in a process that is forked.
        self.source = save(photograph(1, 320, 240), self.photos / "x.jpg", quality=97)
        self.bytes = self.source.read_bytes()
        (folder / "comparimg.toml").write_text("[daemon]\nworkers = 1\n")
        self.config: Config = load(folder / "comparimg.toml", {"XDG_DATA_HOME": str(folder / "home")})

    def run(self, given: dict[str, object] | None = None) -> oneshot_compress.Run:
        parameters = CompressParameters(**{**GIVEN, **MODES[self.mode], **(given or {})})  # type: ignore[arg-type]
        return oneshot_compress.compress(None, [self.source], parameters, self.data, self.config, NullProgress())

    def files(self) -> dict[str, bytes]:
        paths = [path for path in self.photos.rglob("*") if path.is_file() and path.name != "manifest.jsonl"]
        return {str(path.relative_to(self.photos)): path.read_bytes() for path in paths}

    def judge(self) -> tuple[str, str]:
        """What happened, after a new start, and what was lost: "nothing" is the only good word."""
        with oneshot_compress.open_runtime(self.data, [os.fsencode(self.photos)], self.config):
            pass
        files = self.files()
        wrong = [f"left behind: {name}" for name in files if name.endswith(".part")]
        visible = {name: data for name, data in files.items() if not name.startswith(".") and not name.endswith(".xmp")}
        results = {name: data for name, data in visible.items() if data != self.bytes}
        if files.get("x.jpg") == self.bytes:
            happened = "source and result" if results else "source"
            wrong += [f"{name} is broken" for name, data in results.items() if not self._is_whole(data)]
        else:
            happened = "result, source in the trash"
            whole = [data for data in results.values() if self._is_whole(data)]
            wrong += [] if len(whole) == len(results) == 1 else ["no result that is whole"]
        if results:
            with contextlib.suppress(ComparImgError):
                oneshot_compress.undo(None, (), self.data, self.config, NullProgress())
                happened += ", undone"
            if self.files().get("x.jpg") != self.bytes:
                wrong.append("undo does not bring the source back")
        return happened, "; ".join(wrong) or "nothing"

    def _is_whole(self, data: bytes) -> bool:
        try:
            with pictures.opened(data, pictures.Limits()) as image:
                image.load()
                return self.size in (None, image.size)
        except ComparImgError:
            return False


@contextmanager
def without_processes() -> Iterator[None]:
    """Let runs encode in this process: what is killed here is the one that owns the index."""
    for module in (compress, oneshot_compress):
        setattr(module, "WorkerPool", InlinePool)  # noqa: B010 - not the type that is annotated
    try:
        yield
    finally:
        for module in (compress, oneshot_compress):
            setattr(module, "WorkerPool", WorkerPool)  # noqa: B010


def kills(scratch: Path, stride: int) -> Iterator[Row]:
    """Every mode, killed before and after every `stride`th of its changes, of each mode from another one on."""
    for place, mode in enumerate(MODES):
        for after in (False, True):
            for number in range((3 * place + int(after)) % stride, 500, stride):
                folder = Path(tempfile.mkdtemp(dir=scratch))
                scene = Scene(folder, mode)
                change = _killed(scene, number, after)
                if change is None:
                    break
                happened, lost = scene.judge()
                yield Row("kill -9", mode, f"{'after' if after else 'before'} {change}", happened, lost)
                shutil.rmtree(folder)


def _killed(scene: Scene, number: int, after: bool) -> str | None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        faults._kill_at(number, after, writer)
        scene.run()
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        change = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return change
    assert status == 0, f"{scene.mode} failed without a fault"
    return None


def refusals(scratch: Path) -> Iterator[Row]:
    """Disks that are full or read-only."""
    for fault, spoil in (
        ("ENOSPC: the disk is full", faults._fill),
        ("EROFS: mounted read-only", faults._make_read_only),
    ):
        for mode in MODES:
            with small_disk(scratch) as disk:
                scene = Scene(Path(tempfile.mkdtemp(dir=scratch)), mode, disk / "photos")
                repair = spoil(disk)
                yield _refused(fault, scene, repair)


def forbidden(scratch: Path) -> Iterator[Row]:
    """A folder or a file whose mode forbids it."""
    for fault, modes in (("EACCES: the folder may not be written to", (0o555, 0o644)),
                         ("EACCES: the source may not be read", (0o755, 0o000))):  # fmt: skip
        for mode in MODES:
            scene = Scene(Path(tempfile.mkdtemp(dir=scratch)), mode)
            scene.photos.chmod(modes[0])
            scene.source.chmod(modes[1])
            child = os.fork()
            if child == 0:
                signal.alarm(CHILD_LIMIT_S)
                code = 1
                try:
                    privileges.give_up()
                    run = scene.run()
                    code = int(run.outcome.get("compressed", 0) > 0 or not (run.problems or run.files))
                except BaseException:  # noqa: BLE001 - the child ends here, whatever it is
                    traceback.print_exc()
                os._exit(code)
            _, status = os.waitpid(child, 0)
            assert status == 0, f"{fault}, {mode}: nothing was reported"
            scene.photos.chmod(0o755)
            scene.source.chmod(0o644)
            happened, lost = scene.judge()
            yield Row(fault, mode, "acting", happened, lost)


def hostile(scratch: Path) -> Iterator[Row]:
    """Encoders that crash, hang or eat all memory, in processes that are killed for it; broken sources."""
    for fault, function in (("the encoder crashes", misbehaviour.crash), ("the encoder hangs", misbehaviour.hang),
                            ("the encoder eats memory", misbehaviour.eat)):  # fmt: skip
        for mode in ("modify", "delete"):
            scene = Scene(Path(tempfile.mkdtemp(dir=scratch)), mode)
            meant, compress.compress_file = compress.compress_file, function  # type: ignore[assignment]
            limit, compress.TIMES_OF_A_DECODE = compress.TIMES_OF_A_DECODE, 0.02  # type: ignore[assignment, misc]
            try:
                yield _refused(fault, scene, lambda: None)
            finally:
                compress.compress_file = meant
                compress.TIMES_OF_A_DECODE = limit  # type: ignore[misc]
    for fault, spoil in (("a truncated source", lambda data: data[: len(data) // 2]), ("no picture", lambda _: b"text"),
                         ("a bomb of pixels", lambda _: _bomb())):  # fmt: skip
        scene = Scene(Path(tempfile.mkdtemp(dir=scratch)), "delete")
        scene.bytes = spoil(scene.bytes)
        scene.source.write_bytes(scene.bytes)
        yield _refused(fault, scene, lambda: None)


def _bomb() -> bytes:
    target = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(target, "PNG")
    return target.getvalue()


def _refused(fault: str, scene: Scene, repair: Callable[[], object]) -> Row:
    run = scene.run()
    repair()
    reasons = sorted({file.reason for file in run.files if file.reason} | {reason for _, reason, _ in run.problems})
    happened, lost = scene.judge()
    if not reasons:
        lost = f"nothing was reported; {lost}"
    return Row(fault, scene.mode, "acting", f"{happened}; reported: {', '.join(reasons)}", lost)


def rows(stride: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with without_processes():
            yield from kills(scratch, stride)
            if os.geteuid() == 0:
                yield from refusals(scratch)
                yield from forbidden(scratch)
            else:
                print("Without the right to mount and to be someone else, those rows are left out.", file=sys.stderr)  # noqa: T201
        yield from hostile(scratch)


def main(arguments: list[str]) -> int:
    stride = next((int(argument) for argument in arguments if argument.isdecimal()), 1)
    finished = []
    for row in rows(stride):
        finished.append(row)
        if "--json" not in arguments:
            print(f"| {row.fault} | {row.mode} | {row.at} | {row.happened} | {row.lost} |", flush=True)  # noqa: T201
    if "--json" in arguments:
        print(json.dumps([asdict(row) for row in finished]))  # noqa: T201
    bad = sum(row.lost != "nothing" for row in finished)
    print(f"{len(finished)} faults, {bad} of them cost something.", file=sys.stderr)  # noqa: T201
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
