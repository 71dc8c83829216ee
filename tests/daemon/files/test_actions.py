"""Every action on real files, cut off before and after each change it makes: the bytes are there, and the
disk shows how far it came."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.files import actions, removal, safe_files
from index.database.records.batches import Step
from index.errors import StepRefused
from support.step_scene import NAMES, NEW, OLD, file_system, scene

__all__ = ["file_system"]


class CutOff(BaseException):
    """What a crash is to the code that it hits."""


def cut_off_at(monkeypatch: pytest.MonkeyPatch, number: int, after: bool) -> Iterator[int]:
    """Crash at the change with this number, before it is made or after; what counts the changes. Nothing that is in
    a `finally` is done after a crash."""
    count = iter(range(1000))
    crashed = False

    def cutting(change: Callable[..., object]) -> Callable[..., object]:
        def do(*arguments: object, **named: object) -> object:
            nonlocal crashed
            mine = next(count) == number
            if crashed or (mine and not after):
                crashed = True
                raise CutOff
            result = change(*arguments, **named)
            if mine:
                crashed = True
                raise CutOff
            return result

        return do

    monkeypatch.setattr(removal, "renameat2", cutting(removal.renameat2))
    for name in ("link", "unlink", "rename", "mkdir", "rmdir"):
        monkeypatch.setattr(safe_files.os, name, cutting(getattr(os, name)))
    return count


@pytest.mark.parametrize("name", NAMES)
def test_an_action_does_what_it_says_and_the_disk_shows_it(tmp_path: Path, name: str, file_system: str) -> None:
    made = scene(tmp_path, name)
    if name == "link" and "links" in file_system:
        with pytest.raises(PermissionError):
            made.act()
        assert not made.settle()
        assert made.files() == made.before
        return
    assert not made.settle()
    if name in ("replace", "create"):
        # What is not begun is undone: the new file is the caller's to make again.
        assert "a/.part" not in made.files()
        made = scene(tmp_path / "again", name)
    made.act()
    assert made.files() == made.after
    assert made.settle()
    assert made.settle(), "again and again"
    assert made.files() == made.after


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", NAMES)
def test_cut_off_at_every_change_nothing_is_lost_and_the_disk_shows_it(
    tmp_path: Path, name: str, after: bool, file_system: str
) -> None:
    cuts = 0
    for number in range(40):
        made = scene(tmp_path / str(number), name)
        with pytest.MonkeyPatch.context() as patch:
            count = cut_off_at(patch, number, after)
            try:
                made.act()
            except CutOff:
                cuts += 1
            except OSError:
                assert (name, "links" in file_system) == ("link", True)
            if next(count) <= number:
                break
        kept = set() if name == "delete" else {OLD}
        assert kept <= set(made.files().values()), f"cut off at {number}"
        done = made.settle()
        expected = made.after if done else {k: v for k, v in made.before.items() if name not in ("replace", "create")
                                            or k != "a/.part"}  # fmt: skip
        if name == "create" and not done:
            expected = {}
        files = made.files()
        if "links" in file_system:
            # What was copied so far stays, under a name of its own: nothing proves that it is not someone else's.
            target = os.path.relpath(os.fsdecode(made.step.target or made.step.path), made.folder)
            if files.get(target) != expected.get(target) and OLD.startswith(files.get(target, b"?")):
                files = {k: v for k, v in files.items() if k != target}
                expected = {k: v for k, v in expected.items() if k != target}
            if name == "swap" and not done and files != expected:
                # Copied, and the original not removed yet: it stays in the trash, and so does what was at the path.
                expected = {"t/1-x.jpg": OLD, "a/x.jpg": OLD, "t/2-x.jpg": NEW}
        if name == "move far" and not done and files != expected:
            assert files == expected | {"best/x.jpg": OLD}, "a copy more is no harm"
        else:
            assert files == expected, f"cut off at {number}"
    assert cuts > 0 or (name, "links" in file_system) == ("link", True)


@pytest.mark.parametrize("name", [one for one in NAMES if one not in ("create", "restore", "delete")])
def test_what_someone_changed_is_refused_and_stays(tmp_path: Path, name: str) -> None:
    made = scene(tmp_path, name)
    path = made.folder / "a" / "x.jpg"
    path.write_bytes(b"edited since")
    before = made.files()
    with pytest.raises(StepRefused) as http_error:
        made.act()
    assert http_error.value.reason == "changed"
    assert not made.settle()
    assert {k: v for k, v in made.files().items() if k != "a/.part"} == {
        k: v for k, v in before.items() if k != "a/.part"
    }


@pytest.mark.parametrize("name", ["trash", "move", "move far", "link", "replace", "swap"])
def test_what_is_replaced_at_the_last_moment_is_put_back(tmp_path: Path, name: str, file_system: str) -> None:
    if name == "link" and "links" in file_system:
        pytest.skip("there are no links to make")
    made = scene(tmp_path, name)
    path = made.folder / "a" / "x.jpg"

    @contextmanager
    def meddle(step: Step) -> Iterator[None]:
        fresh = path.with_name("fresh")
        fresh.write_bytes(b"saved by an editor")
        fresh.rename(path)
        yield

    with pytest.raises(StepRefused):
        actions.perform(made.step, made.managed_folders.file_ref, meddle, made.rescue())
    made.settle()
    files = made.files()
    assert b"saved by an editor" in files.values()
    assert files.get("a/x.jpg") == b"saved by an editor"


@pytest.mark.parametrize("name", ["trash", "replace", "link", "move"])
def test_a_link_put_where_the_file_was_is_not_followed(tmp_path: Path, name: str) -> None:
    made = scene(tmp_path, name)
    path = made.folder / "a" / "x.jpg"
    precious = tmp_path / "precious.jpg"
    path.rename(precious)
    path.symlink_to(precious)
    with pytest.raises(StepRefused) as http_error:
        made.act()
    assert http_error.value.reason == "not_a_file"
    assert precious.read_bytes() == OLD
    assert path.is_symlink()


def test_a_folder_exchanged_for_a_link_is_not_gone_through(tmp_path: Path) -> None:
    made = scene(tmp_path, "trash")
    elsewhere = tmp_path / "elsewhere"
    (made.folder / "a").rename(elsewhere)
    (made.folder / "a").symlink_to(elsewhere)
    with pytest.raises(StepRefused):
        made.act()
    assert (elsewhere / "x.jpg").read_bytes() == OLD


@pytest.mark.parametrize("name", ["trash", "move", "create", "restore"])
def test_a_name_that_is_taken_is_never_overwritten(tmp_path: Path, name: str, file_system: str) -> None:
    made = scene(tmp_path, name)
    target = made.step.trash if name == "trash" else made.step.target
    Path(os.fsdecode(target)).write_bytes(b"other file")
    before = made.files()
    with pytest.raises(FileExistsError):
        made.act()
    assert made.files() == before


def test_rename_to_the_same_file_system_through_a_bind_mount_is_distinguished(tmp_path: Path) -> None:
    made = scene(tmp_path, "trash")
    spots = [made.managed_folders.file_ref(made.step.path), made.managed_folders.file_ref(made.step.trash)]
    assert safe_files.can_rename(*spots)


@pytest.mark.parametrize("name", ["replace", "link", "swap"])
def test_what_is_written_to_in_the_middle_of_a_crash_is_known_by_its_inode(tmp_path: Path, name: str) -> None:
    """A program that has the file open goes on writing after it was exchanged."""
    made = scene(tmp_path, name)
    temp = made.folder / "a" / ".part"
    with pytest.MonkeyPatch.context() as patch:
        # After the exchange; in swap, what comes back is renamed to the temporary name before.
        count = cut_off_at(patch, {"replace": 0, "link": 1, "swap": 1}[name], after=True)
        with pytest.raises(CutOff):
            made.act()
    assert next(count)
    old = temp.read_bytes()
    assert old == (NEW if name == "swap" else OLD)
    temp.write_bytes(b"written to")
    assert made.settle()
    assert b"written to" in made.files().values()
    assert not temp.exists()
