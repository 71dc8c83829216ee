"""The sort job on real pictures: what is decided is done, and only then, and only what may be."""

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.processes.worker_pool import WorkerPool
from index.database.records import decisions, trash_items
from index.database.records.decisions import NoKeeper, NotExact, Protected
from index.database.records.trash_items import ItemState
from support.sorting import Desk


@pytest.fixture
def twins(desk: Desk) -> tuple[Path, Path]:
    """A picture and the same bytes again."""
    kept = desk.picture("photos/a.jpg", 1)
    copy = desk.copy(kept, "photos/copy.jpg")
    desk.scan()
    return kept, copy


def reasons(outcome: dict) -> dict[str, int]:
    return dict(outcome["refused"])


def test_what_is_trashed_goes_to_the_trash_and_comes_back(desk: Desk, pair: tuple[Path, Path]) -> None:
    kept, copy = pair
    before = desk.files()
    desk.decide({copy: "trash"})
    plan = desk.sort(dry_run=True)
    assert (plan["trash"], plan["bytes"], reasons(plan)) == (1, copy.stat().st_size, {})
    assert desk.files() == before, "a dry run changes nothing"
    (step,) = desk.steps(plan["batch"])
    assert (step.path, step.keeper) == (bytes(copy), bytes(kept))
    outcome = desk.sort()
    assert (outcome["trash"], reasons(outcome)) == (1, {})
    assert not copy.exists()
    assert kept.exists()
    assert desk.groups() == {}, "the index follows at once"
    assert sorted(desk.files().values()) == sorted(before.values())
    assert desk.sort()["trash"] == 0, "what is done is not done again"
    undone = desk.undo(outcome["batch"])
    assert undone["restored"] == 1
    assert desk.files() == before
    assert list(desk.groups().values()) == [["photos/a.jpg", "photos/small/a.jpg"]]


def test_a_move_goes_to_the_destination_and_comes_back(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    before = desk.files()
    (desk.best / "a.jpg").write_bytes(b"other file")
    desk.decide({copy: "move"})
    outcome = desk.sort()
    assert (outcome["move"], outcome["bytes"]) == (1, 0)
    assert (desk.best / "a.jpg").read_bytes() == b"other file"
    assert (desk.best / "a (2).jpg").read_bytes() == before["photos/small/a.jpg"]
    desk.undo(outcome["batch"])
    assert desk.files() == before | {"best/a.jpg": b"other file"}


def test_a_link_takes_the_place_of_an_equal_file(desk: Desk, twins: tuple[Path, Path]) -> None:
    kept, copy = twins
    before = desk.files()
    inode = copy.stat().st_ino
    desk.decide({copy: "link"})
    outcome = desk.sort()
    assert (outcome["link"], outcome["bytes"]) == (1, kept.stat().st_size)
    assert copy.stat().st_ino == kept.stat().st_ino
    assert copy.read_bytes() == before["photos/a.jpg"]
    assert desk.groups() == {}, "one file reached twice is no pair"
    desk.undo(outcome["batch"])
    assert copy.stat().st_ino == inode
    assert kept.stat().st_ino != inode
    trashed = {name: data for name, data in desk.files().items() if "trash" in name}
    assert {name: data for name, data in desk.files().items() if name not in trashed} == before
    assert len(desk.groups()) == 1
    # The link itself is in the trash now, and frees nothing: it is a second name of the kept image.
    with desk.store.read() as database:
        page, freed = trash_items.page(database, (ItemState.IN_TRASH,), None, 10)
        assert (page.total, freed) == (1, 0)
        assert trash_items.second_names(database, page.items) == {page.items[0].id}
    assert desk.empty()["bytes"] == 0
    assert kept.exists()


@pytest.mark.parametrize("choice", ["trash", "move"])
def test_a_decision_that_leaves_no_image_is_refused(desk: Desk, pair: tuple[Path, Path], choice: str) -> None:
    kept, copy = pair
    desk.decide({copy: choice})
    with pytest.raises(NoKeeper):
        desk.decide({kept: choice})
    assert desk.sort()[choice] == 1
    assert kept.exists()


def test_only_equal_bytes_can_be_linked(desk: Desk, pair: tuple[Path, Path]) -> None:
    with pytest.raises(NotExact):
        desk.decide({pair[1]: "link"})


def test_the_last_keeper_is_held_by_the_job_and_not_only_when_deciding(desk: Desk, pair: tuple[Path, Path]) -> None:
    """Whatever is in the table of decisions."""
    kept, copy = pair
    desk.decide({copy: "trash"})
    desk.store.write(
        lambda db: db.execute_sql(
            "INSERT INTO decision (image_id, choice, destination, origin, criterion, digest, decided_ns)"
            " SELECT i.id, 'trash', '', 'user', '', c.digest, 0 FROM image i JOIN content c ON c.id = i.content_id"
            " WHERE i.path = ?", (bytes(kept),),
        )
    )  # fmt: skip
    before = desk.files()
    outcome = desk.sort()
    assert (outcome["trash"], reasons(outcome)) == (0, {"no_keeper": 2})
    assert desk.files() == before


def test_a_file_that_changed_since_is_refused(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    desk.picture("photos/small/a.jpg", 7, (200, 150), 80)
    outcome = desk.sort()
    assert (outcome["trash"], reasons(outcome)) == (0, {"changed": 1})
    assert copy.exists()


def test_a_file_whose_bytes_changed_under_the_same_time_is_refused(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    status = copy.stat()
    data = bytearray(copy.read_bytes())
    data[-10] ^= 1
    with copy.open("r+b") as file:
        file.write(data)
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    plan = desk.sort(dry_run=True)
    assert plan["trash"] == 1, "a plan reads no bytes"
    outcome = desk.sort()
    assert (outcome["trash"], reasons(outcome)) == (0, {"changed": 1})
    assert copy.read_bytes() == data


def test_a_decision_is_stale_when_the_index_knows_of_the_change(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    desk.picture("photos/small/a.jpg", 1, (210, 157), 70)
    desk.scan()
    image_id = desk.image_id(copy)
    with desk.store.read() as database:
        assert decisions.of_images(database, [image_id])[image_id].stale
        assert decisions.review(database).images_to_act == 0
    outcome = desk.sort()
    assert (outcome["trash"], reasons(outcome)) == (0, {"changed": 1})


def test_a_decision_goes_with_a_renamed_file(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    renamed = copy.with_name("renamed.jpg")
    copy.rename(renamed)
    desk.scan()
    assert desk.sort()["trash"] == 1
    assert not renamed.exists()


@pytest.mark.parametrize("how", ["gone", "broken", "another", "unreadable bytes"])
def test_without_a_keeper_that_is_whole_an_image_stays(desk: Desk, pair: tuple[Path, Path], how: str) -> None:
    kept, copy = pair
    desk.decide({copy: "trash"})
    status = kept.stat()
    if how == "gone":
        kept.unlink()
    elif how == "another":
        desk.picture("photos/a.jpg", 9)
    else:
        with kept.open("r+b") as file:
            file.seek(200 if how == "broken" else status.st_size - 50)
            file.write(b"\0" * 40)
        os.utime(kept, ns=(status.st_atime_ns, status.st_mtime_ns))
    outcome = desk.sort()
    assert outcome["trash"] == 0
    assert set(reasons(outcome)) <= {"no_keeper", "keeper_unreadable"}
    assert copy.exists()


def test_another_keeper_of_the_group_will_do(desk: Desk) -> None:
    first, second = desk.picture("photos/a.png", 1, (640, 480)), desk.picture("photos/b.jpg", 1, (640, 480))
    copy = desk.picture("photos/c.jpg", 1, (640, 480), 80)
    desk.scan()
    assert len(desk.groups()) == 1
    desk.decide({first: "keep", copy: "trash"})
    first.unlink()
    outcome = desk.sort()
    assert (outcome["trash"], reasons(outcome)) == (1, {})
    assert second.exists()
    assert desk.steps(outcome["batch"])[0].keeper == bytes(second)


@pytest.mark.parametrize("when", ["sorted at once", "scanned before"])
def test_a_smaller_image_does_not_stand_in_for_the_one_to_keep(desk: Desk, when: str) -> None:
    first = desk.picture("photos/a.jpg", 1)
    equal = desk.copy(first, "photos/b.jpg")
    small = desk.picture("photos/small.jpg", 1, (200, 150), 80)
    desk.scan()
    desk.decide({first: "trash", equal: "keep"})
    equal.unlink()
    if when == "scanned before":
        desk.scan()
    assert reasons(desk.sort(dry_run=True)) == {"keeper_changed": 1}
    assert reasons(desk.sort()) == {"keeper_changed": 1}
    assert first.exists()
    desk.scan()
    desk.decide({first: "trash", small: "keep"})
    assert desk.sort()["trash"] == 1, "decided again, with what there is"


def test_an_image_that_came_later_is_not_what_a_decision_relied_on(desk: Desk) -> None:
    first, kept = desk.picture("photos/a.jpg", 1), desk.picture("photos/b.jpg", 1, quality=80)
    desk.scan()
    offset_ns, desk.offset_ns = desk.offset_ns, 0
    desk.decide({first: "trash"})
    desk.offset_ns = offset_ns
    kept.unlink()
    desk.scan()
    assert desk.groups() == {}
    desk.picture("photos/later.jpg", 1, quality=40)
    desk.scan()
    assert len(desk.groups()) == 1
    assert reasons(desk.sort()) == {"keeper_changed": 1}
    assert first.exists()


def test_what_a_decision_relied_on_may_be_renamed_or_be_trashed_for_another(desk: Desk) -> None:
    first = desk.picture("photos/a.png", 1)
    second, third = desk.copy(first, "photos/b.png"), desk.picture("photos/c.jpg", 1, quality=90)
    desk.scan()
    desk.decide({first: "trash"})
    second.rename(desk.photos / "renamed.png")
    desk.scan()
    desk.decide({desk.photos / "renamed.png": "trash"})
    outcome = desk.sort()
    assert (outcome["trash"], reasons(outcome)) == (2, {})
    assert third.exists()
    desk.undo(outcome["batch"])
    assert desk.sort()["trash"] == 2, "the decisions that undo restores rely on what stays then"


def test_a_decision_relies_on_an_image_whose_metadata_was_edited(desk: Desk) -> None:
    kept, small = desk.picture("photos/a.jpg", 1), desk.picture("photos/small.jpg", 1, (200, 150), 80)
    desk.scan()
    offset_ns, desk.offset_ns = desk.offset_ns, 0
    desk.decide({kept: "keep", small: "trash"})
    desk.offset_ns = offset_ns
    kept.write_bytes(kept.read_bytes()[:2] + b"\xff\xfe\x00\x07rated" + kept.read_bytes()[2:])
    desk.scan()
    assert desk.sort()["trash"] == 1


def test_one_that_is_kept_and_unreadable_is_not_replaced_by_a_smaller_one(desk: Desk) -> None:
    first, kept = desk.picture("photos/a.jpg", 1), desk.picture("photos/b.jpg", 1, quality=80)
    desk.picture("photos/small.jpg", 1, (200, 150), 80)
    desk.scan()
    desk.decide({first: "trash", kept: "keep"})
    status = kept.stat()
    with kept.open("r+b") as file:
        file.seek(200)
        file.write(b"\0" * 40)
    os.utime(kept, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert reasons(desk.sort()) == {"keeper_changed": 1}
    assert first.exists()


def test_a_fresh_file_is_left_to_settle(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    desk.offset_ns = 0
    os.utime(copy)
    desk.scan()
    assert reasons(desk.sort()) == {"settling": 1}
    assert copy.exists()


def test_a_symbolic_link_in_its_place_is_not_followed(desk: Desk, pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    elsewhere = tmp_path / "elsewhere.jpg"
    copy.rename(elsewhere)
    copy.symlink_to(elsewhere)
    outcome = desk.sort()
    assert outcome["trash"] == 0
    assert elsewhere.exists()
    assert copy.is_symlink()


# Protection


def test_what_is_protected_stays_by_whatever_path(tmp_path: Path, pool: WorkerPool) -> None:
    desk = Desk(tmp_path, pool, protected=["safe"])
    try:
        kept = desk.picture("photos/a.jpg", 1)
        guarded = desk.picture("safe/a.jpg", 1, (200, 150), 80)
        desk.scan()
        with pytest.raises(Protected):
            desk.decide({guarded: "trash"})
        # Even where the table says otherwise, and the root has been protected since.
        desk.store.write(
            lambda db: db.execute_sql(
                "INSERT INTO decision (image_id, choice, destination, origin, criterion, digest, decided_ns)"
                " SELECT i.id, 'trash', '', 'user', '', c.digest, 0 FROM image i JOIN content c"
                " ON c.id = i.content_id WHERE i.path = ?", (bytes(guarded),),
            )
        )  # fmt: skip
        outcome = desk.sort()
        assert (outcome["trash"], reasons(outcome)) == (0, {"protected": 1})
        assert guarded.exists()
        assert kept.exists()
    finally:
        desk.close()


def test_a_second_name_of_what_is_protected_stays(tmp_path: Path, pool: WorkerPool) -> None:
    desk = Desk(tmp_path, pool, protected=["safe"])
    try:
        desk.picture("photos/z/a.jpg", 1)
        guarded = desk.picture("safe/a.jpg", 1, (200, 150), 80)
        os.link(guarded, desk.photos / "second name.jpg")
        desk.scan()
        with pytest.raises(Protected):
            desk.decide({desk.photos / "second name.jpg": "trash"})
    finally:
        desk.close()


def test_two_names_of_one_file_are_one_image_and_go_together(desk: Desk) -> None:
    kept = desk.picture("photos/a.jpg", 1)
    first = desk.picture("photos/b.jpg", 1, (200, 150), 80)
    second = desk.photos / "c.jpg"
    os.link(first, second)
    desk.scan()
    assert list(desk.groups().values()) == [["photos/a.jpg", "photos/b.jpg"]]
    size = first.stat().st_size
    before = desk.files()
    desk.decide({first: "trash"})
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"], outcome["bytes"]) == (1, 1, size)
    assert not first.exists()
    assert not second.exists()
    assert kept.exists()
    desk.undo(outcome["batch"])
    assert desk.files() == before
    assert first.stat().st_ino == second.stat().st_ino


# The trash


def test_what_is_in_the_way_is_not_overwritten_when_something_comes_back(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    data = copy.read_bytes()
    desk.decide({copy: "trash"})
    outcome = desk.sort()
    copy.write_bytes(b"a new one")
    undone = desk.undo(outcome["batch"])
    assert (undone["restored"], undone["restored_beside"]) == (1, 1)
    assert copy.read_bytes() == b"a new one"
    assert copy.with_name("a (restored).jpg").read_bytes() == data


def test_a_folder_that_is_gone_is_made_again(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    data = copy.read_bytes()
    desk.decide({copy: "trash"})
    outcome = desk.sort()
    copy.parent.rmdir()
    desk.undo(outcome["batch"])
    assert copy.read_bytes() == data


@pytest.mark.parametrize("choice", ["trash", "move", "link"])
@pytest.mark.parametrize("fault", ["gone", "unreadable"])
def test_what_cannot_come_back_does_not_hold_back_the_others(
    tmp_path: Path, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch, choice: str, fault: str
) -> None:
    with closing(Desk(tmp_path, pool, roots=("photos", "more"))) as desk:
        copies = []
        for seed, root in enumerate(desk.roots):
            kept = desk.picture(f"{os.fsdecode(root.path)}/kept.jpg", seed)
            copies.append(desk.copy(kept, f"{os.fsdecode(root.path)}/copy.jpg"))
        before = desk.files()
        desk.scan()
        desk.decide(dict.fromkeys(copies, choice))
        outcome = desk.sort()
        assert outcome[choice] == 2, outcome
        with monkeypatch.context() as patch:
            if fault == "gone":
                (tmp_path / "more").rename(tmp_path / "away")
            else:
                status = os.stat

                def stat_bad_sector(path: Any, **options: Any) -> os.stat_result:
                    if path == b"copy.jpg" and os.readlink(f"/proc/self/fd/{options['dir_fd']}") == str(
                        tmp_path / "more"
                    ):
                        raise OSError(errno.EIO, os.strerror(errno.EIO))
                    return status(path, **options)

                patch.setattr(os, "stat", stat_bad_sector)
            desk.undo(outcome["batch"])
            assert copies[0].stat().st_nlink == 1
        if fault == "gone":
            (tmp_path / "away").rename(tmp_path / "more")
        desk.undo(outcome["batch"])
        assert copies[1].exists()
        assert set(desk.files()) >= set(before)


def test_single_steps_and_single_items_come_back(desk: Desk) -> None:
    kept = desk.picture("photos/a.png", 1, (640, 480))
    copies = [desk.picture(f"photos/{number}.jpg", 1, (640, 480), 90 - number) for number in range(3)]
    desk.scan()
    assert len(desk.groups()) == 1
    before = desk.files()
    desk.decide({kept: "keep"} | dict.fromkeys(copies, "trash"))
    outcome = desk.sort()
    first = desk.steps(outcome["batch"])[0]
    desk.undo(outcome["batch"], steps=[first.id])
    assert [path.exists() for path in copies] == [True, False, False]
    item = desk.in_trash()[0]
    desk.undo(items=[item.id])
    assert [path.exists() for path in copies] == [True, True, False]
    assert desk.undo(outcome["batch"])["restored"] == 1
    assert desk.files() == before
    assert desk.undo(outcome["batch"])["restored"] == 0, "once is enough"


def test_emptying_removes_what_is_old_enough_and_nothing_else(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    outcome = desk.sort()
    (item,) = desk.in_trash()
    strange = Path(os.fsdecode(item.place)).with_name("put here by hand.jpg")
    strange.write_bytes(b"by hand")
    assert desk.empty(older_than_days=1.0)["deleted"] == 0
    assert desk.empty(older_than_days=0.0)["deleted"] == 1
    assert strange.exists()
    assert desk.in_trash() == []
    undone = desk.undo(outcome["batch"])
    assert (undone["restored"], undone["refused"]) == (0, {"emptied": 1})


def test_what_was_changed_in_the_trash_is_not_emptied(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    desk.sort()
    (item,) = desk.in_trash()
    place = Path(os.fsdecode(item.place))
    place.write_bytes(b"someone used it.")
    assert desk.empty(older_than_days=0.0) | {"batch": 0} == {
        "batch": 0, "restored": 0, "restored_beside": 0, "deleted": 0, "bytes": 0, "refused": {"changed": 1},
        "unconfirmed": [], "in_doubt": 0, "spared": 0, "last_copies": 0,
    }  # fmt: skip
    assert place.exists()


def test_what_someone_took_out_by_hand_is_reported(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    outcome = desk.sort()
    (item,) = desk.in_trash()
    Path(os.fsdecode(item.place)).rename(copy)
    assert desk.undo(outcome["batch"])["refused"] == {"gone": 1}
    assert desk.in_trash() == []
    assert copy.exists()


def test_undo_restores_the_decisions_or_has_them_made_again(desk: Desk, pair: tuple[Path, Path]) -> None:
    desk.decide(dict(zip(pair, ("keep", "trash"), strict=True)))
    before = decided(desk)
    assert [choice for _, choice, _, _ in before] == ["keep", "trash"]
    outcome = desk.sort()
    assert [choice for _, choice, _, _ in decided(desk)] == ["keep"]
    desk.undo(outcome["batch"])
    assert decided(desk) == before
    with desk.store.read() as database:
        assert decisions.review(database).images_to_act == 1
        assert database.execute_sql("SELECT decided, images FROM duplicate_group").fetchall() == [(2, 2)]
    # Carried out and undone once more, to decide again.
    outcome = desk.sort()
    assert outcome["trash"] == 1
    desk.undo(outcome["batch"], decide_again=True)
    assert decided(desk) == []
    with desk.store.read() as database:
        assert database.execute_sql("SELECT decided FROM duplicate_group").fetchall() == [(0,)]
        assert database.execute_sql("SELECT count(*) FROM carried_out").fetchone() == (0,)


def test_what_is_restored_by_itself_or_is_other_bytes_is_not_decided_again(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    desk.sort()
    (item,) = desk.in_trash()
    desk.undo(items=[item.id])
    # Someone wanted it back.
    assert decided(desk) == []
    desk.decide({copy: "move"})
    batch = desk.sort()["batch"]
    moved = desk.best / copy.name
    moved.write_bytes(moved.read_bytes() + b"edited")
    desk.undo(batch)
    assert copy.read_bytes().endswith(b"edited")
    assert decided(desk) == []


def decided(desk: Desk) -> list[Any]:
    with desk.store.read() as database:
        return list(
            database.execute_sql(
                "SELECT i.path, d.choice, d.destination, d.origin FROM decision d JOIN image i ON i.id = d.image_id"
                " ORDER BY i.path"
            )
        )
