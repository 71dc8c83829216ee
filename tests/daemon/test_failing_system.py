"""The real program while its system fails: full disks, lost mounts and permissions, a damaged index, odd names."""

import os
import shutil
import signal
import sqlite3
import subprocess
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.client import Client
from support.pictures import photograph, save
from support.program import Program, wait_until_idle
from support.serving import until

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

# A name space of its own: what is mounted there is no one else's, and root is not needed.
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def can_mount(tmp_path: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    command = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def program(tmp_path: Path) -> Program:
    photos = tmp_path / "photos"
    for number in range(8):
        save(photograph(100 + number, 320, 240), photos / f"{number % 3}" / f"{number}.jpg")
    shutil.copy(photos / "0" / "0.jpg", photos / "copy.jpg")
    return Program(tmp_path, photos)


def totals(address: str) -> tuple[int, int]:
    counts = Client(address).get("status")["totals"]
    return counts["images"], counts["groups"]


def state_of_root(address: str) -> tuple[str, str]:
    (root,) = Client(address).get("roots")["items"]
    return root["state"], root["reason"]


def inside(process: subprocess.Popen[bytes], *command: str) -> None:
    """Run a command where the program sees the same file systems."""
    enter = ["nsenter", f"--target={process.pid}", "--user", "--mount", "--preserve-credentials"]
    subprocess.run([*enter, *command], check=True)


@pytest.mark.slow
@pytest.mark.fault("disk of the index full while indexing: waited for, no job lost")
def test_a_full_disk_while_indexing_is_waited_for(program: Program, tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("file systems cannot be mounted here")
    data = tmp_path / "data"
    data.mkdir()
    # Room for the tables of the index and hardly more; without the ballast also for a log that waits to be merged.
    script = f'mount -t tmpfs -o size=8m tmpfs {data} && head -c 6000K /dev/zero > {data}/ballast && exec "$@"'
    many = [save(photograph(300 + number, 64, 48), program.photos / "many" / f"{number}.png") for number in range(30)]
    for number in range(400):
        path = program.photos / "more" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(many[number % 30].read_bytes() + b"%d" % number)
    with program.running([*NAMESPACE, "sh", "-c", script, "sh"]) as (process, address):
        until(lambda: "Free some space on its disk" in program.log.read_text())
        assert Client(address).get("status")["version"]
        jobs = list(Client(address).pages("jobs"))
        assert {job["state"] for job in jobs} <= {"queued", "running"}, "no job is lost"
        os.unlink(f"/proc/{process.pid}/root{data}/ballast")
        jobs = wait_until_idle(address)
        assert jobs[0]["state"] == "done"
        assert totals(address)[0] == 439
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.slow
@pytest.mark.fault("folder unmounted and mounted again: offline, nothing forgotten, nothing read again")
def test_a_disk_that_is_unmounted_and_comes_back(program: Program, tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("file systems cannot be mounted here")
    disk = tmp_path / "disk"
    program.photos.rename(disk)
    program.photos.mkdir()
    script = f'mount --bind {disk} {program.photos} && exec "$@"'
    with program.running([*NAMESPACE, "sh", "-c", script, "sh"]) as (process, address):
        wait_until_idle(address)
        assert totals(address) == (9, 1)
        read = sum(job["outcome"].get("read", 0) for job in Client(address).pages("jobs"))
        inside(process, "umount", str(program.photos))
        until(lambda: state_of_root(address)[0] == "offline")
        assert "empty" in state_of_root(address)[1]
        Client(address).post("jobs", {"kind": "scan", "parameters": {}})
        wait_until_idle(address)
        assert totals(address)[0] == 9, "what is out of reach is not deleted"
        inside(process, "mount", "--bind", str(disk), str(program.photos))
        until(lambda: state_of_root(address)[0] == "online")
        until(lambda: any(job["origin"] == "start" and job["outcome"].get("files") == 9
                          for job in Client(address).pages("jobs", 1)))  # fmt: skip
        wait_until_idle(address)
        assert totals(address) == (9, 1)
        assert sum(job["outcome"].get("read", 0) for job in Client(address).pages("jobs")) == read, "nothing read again"


def without_rights() -> list[str]:
    """What takes from root the right to read everything; anyone else has none."""
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []


@pytest.fixture
def closed(program: Program) -> Iterator[Path]:
    """A folder that may be closed, opened again at the end."""
    folder = program.photos / "0"
    yield folder
    folder.chmod(0o755)


@pytest.mark.fault("permission to a folder and a file lost and given back")
def test_permission_that_is_lost_and_given_back(program: Program, closed: Path) -> None:
    with program.running(without_rights()) as (_, address):
        wait_until_idle(address)
        assert totals(address) == (9, 1)
        closed.chmod(0)
        (program.photos / "1" / "1.jpg").chmod(0)
        os.utime(program.photos / "1" / "1.jpg")
        Client(address).post("jobs", {"kind": "scan", "parameters": {}})
        wait_until_idle(address)
        assert totals(address)[0] == 9, "what cannot be examined is not deleted"
        problems = {problem["path"]: problem for problem in Client(address).pages("problems")}
        assert set(problems) == {str(closed), str(program.photos / "1" / "1.jpg")}
        assert all(problem["reason"] == "unreadable" for problem in problems.values())
        closed.chmod(0o755)
        (program.photos / "1" / "1.jpg").chmod(0o644)
        Client(address).post("jobs", {"kind": "scan", "parameters": {}})
        wait_until_idle(address)
        assert list(Client(address).pages("problems")) == []
        assert totals(address) == (9, 1)


def deny_the_group(address: str) -> None:
    (group,) = Client(address).pages("groups")
    ids = [image["id"] for image in group["images"]["items"]]
    Client(address).post(f"groups/{group['id']}/not-duplicates", {"images": ids})


@pytest.mark.slow
@pytest.mark.fault("index damaged while the service is down: copy or rebuild, verdicts kept")
def test_an_index_that_is_damaged_while_the_program_is_down(program: Program) -> None:
    save(photograph(100, 320, 240), program.photos / "again.jpg", quality=60)
    (program.photos / "copy.jpg").unlink()
    with program.running() as (process, address):
        wait_until_idle(address)
        assert totals(address) == (9, 1)
        deny_the_group(address)
        assert totals(address) == (9, 0)
        process.terminate()
        assert process.wait(30) == 0
    pages = [page for (page,) in program.ask("SELECT pageno FROM dbstat WHERE name = 'image'")]
    with program.index.open("r+b") as file:
        file.seek((pages[0] - 1) * 4096)
        file.write(b"\xff" * 4096)
    with program.running() as (process, address):
        wait_until_idle(address)
        assert totals(address) == (9, 0), "the verdict outlived the index"
        process.terminate()
        assert process.wait(30) == 0
    assert "is kept as" in program.log.read_text()
    assert len(list(program.index.parent.glob("index-damaged-*.sqlite3"))) == 1
    program.check_index()


@pytest.mark.fault("index deleted while in use: put back with all that was in it")
def test_an_index_that_is_deleted_while_the_program_runs(program: Program) -> None:
    with program.running() as (process, address):
        wait_until_idle(address)
        for file in program.index.parent.glob("index.sqlite3*"):
            file.unlink()
        assert process.wait(30) == 1, "it ends, so that its supervisor starts it again"
    assert "deleted or replaced" in program.log.read_text()
    assert "was put back" in program.log.read_text()
    program.check_index()
    with program.running() as (_, address):
        jobs = wait_until_idle(address)
        assert totals(address) == (9, 1)
        assert jobs[0]["outcome"]["read"] == 0, "nothing had to be read again"


@pytest.mark.slow
@pytest.mark.fault("decoding processes killed by the kernel")
def test_a_decoding_process_killed_by_the_kernel_costs_nothing(program: Program) -> None:
    for number in range(24):
        # A hole of megabytes makes it last, and costs no disk.
        os.truncate(save(photograph(500 + number, 320, 240), program.photos / "many" / f"{number}.jpg"), 24 * 2**20)
    with program.running() as (process, address):
        for known in (2, 8, 16):
            until(lambda known=known: len(program.contents()) >= known)  # type: ignore[misc]
            for children in Path(f"/proc/{process.pid}/task").glob("*/children"):
                for worker in children.read_text().split():
                    os.kill(int(worker), signal.SIGKILL)
        wait_until_idle(address)
        assert "a decoding process was lost" in program.log.read_text()
        assert totals(address)[0] == 33
        assert list(Client(address).pages("problems")) == []


@pytest.mark.fault("names: no UTF-8, 255 bytes, newlines, NFC and NFD twins, controls, deeper than PATH_MAX")
def test_names_that_no_program_likes(program: Program) -> None:
    """Each is an image like any other; what is too deep to be reached is a problem, not a silence."""
    shutil.rmtree(program.photos)
    data = save(photograph(1, 64, 48), program.folder / "one.jpg").read_bytes()
    twins = [unicodedata.normalize(form, "é").encode() + b".jpg" for form in ("NFC", "NFD")]
    names = [b"\xff\xfe.jpg", b"new\nline.jpg", b"x" * 251 + b".jpg", *twins, b" .jpg", "🏔️.jpg".encode(), b"-rf.jpg"]
    names += [b"a'\"`$(reboot);<b>&amp;.jpg", b"\x1b[31m.jpg", b"%00.jpg", "\u202egpj.exe.jpg".encode()]
    top = os.fsencode(program.photos)
    os.makedirs(top)
    for number, name in enumerate(names):
        with open(os.path.join(top, name), "wb") as file:
            file.write(data + b"%d" % number)
    deep = b"d" * 200
    here = os.open(top, os.O_RDONLY)
    for _ in range(25):
        os.mkdir(deep, dir_fd=here)
        below = os.open(deep, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open(b"far.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)
    try:
        with program.running() as (_, address):
            wait_until_idle(address)
            rows = {bytes(path) for (path,) in program.ask("SELECT path FROM image")}
            assert rows == {os.path.join(top, name) for name in names}
            (problem,) = Client(address).pages("problems")
            assert problem["reason"] == "unreadable"
            assert problem["path"].startswith(os.fsdecode(os.path.join(top, deep)))
            ids = [row[0] for row in program.ask("SELECT id FROM image")]
            images = [Client(address).get(f"images/{image}") for image in ids]
            assert len({image["path"] for image in images}) == len(names), (
                "each is distinguished, and can be written as JSON"
            )
            assert len({image["digest"] for image in images}) == len(names)
    finally:
        subprocess.run(["rm", "-rf", os.fsdecode(os.path.join(top, deep))], check=True)


@pytest.mark.fault("index locked by another program")
def test_an_index_that_another_program_holds_is_waited_for(program: Program) -> None:
    with program.running() as (process, address):
        wait_until_idle(address)
        with closing(sqlite3.connect(program.index, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            save(photograph(900, 320, 240), program.photos / "late.jpg")
            until(lambda: "locked" in program.log.read_text())
            assert process.poll() is None
            assert totals(address) == (9, 1), "it can still be shown"
            other.execute("ROLLBACK")
        until(lambda: totals(address)[0] == 10)
