"""Mounts: which lines of mountinfo concern a folder, and which file systems report nothing of what others change."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.files.mounts import (
    Mount,
    MountTable,
    bind_mounts_into,
    mount_of,
    mounts_below,
    parse_mountinfo,
    path_in_file_system,
    read_mounts,
)

LINES = rb"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home/u/Pic\040tures rw - nfs4 nas:/photos rw,vers=4.2
31 22 0:41 / /home/u/Pic\040tures rw - cifs //nas/photos rw
32 22 0:42 / /home/u/Pictures2 rw shared:5 master:1 - fuse.sshfs u@h: rw
33 22 0:43 / /mnt/back\134slash\012line rw - btrfs /dev/sdb rw
bad line
""".splitlines()


def test_lines_are_read_with_their_escapes():
    mounts = parse_mountinfo(LINES)
    assert [(mount.mount_id, mount.point, mount.kind) for mount in mounts] == [
        (22, b"/", "ext4"),
        (30, b"/home/u/Pic tures", "nfs4"),
        (31, b"/home/u/Pic tures", "cifs"),
        (32, b"/home/u/Pictures2", "fuse.sshfs"),
        (33, b"/mnt/back\\slash\nline", "btrfs"),
    ]


@pytest.mark.parametrize(
    ("path", "mount_id"),
    [
        (b"/home/u/Pic tures", 31),
        (b"/home/u/Pic tures/a", 31),
        (b"/home/u/Pictures", 22),
        (b"/home/u/Pictures2/x", 32),
        (b"/", 22),
    ],
)
def test_the_deepest_and_latest_mount_counts(path, mount_id):
    mount = mount_of(path, parse_mountinfo(LINES))
    assert mount is not None
    assert mount.mount_id == mount_id


NAMES = st.lists(st.sampled_from([b"a", b"b", b"ab"]), max_size=4)


@given(NAMES, st.lists(st.tuples(NAMES, st.sampled_from([b"/", b"/a", b"/b/a"])), max_size=6))
def test_a_table_of_mounts_finds_what_the_list_does(names, points):
    mounts = [
        Mount(number, b"/" + b"/".join(point), "ext4", b"8:1", root) for number, (point, root) in enumerate(points)
    ]
    path = b"/" + b"/".join(names)
    table = MountTable(mounts)
    assert table.mount_of(path) == mount_of(path, mounts)
    assert table.place_of(path) == path_in_file_system(path, mounts)


def test_mounts_below_a_folder():
    mounts = parse_mountinfo(LINES)
    assert [mount.mount_id for mount in mounts_below(b"/home", mounts)] == [30, 31, 32]
    assert mounts_below(b"/home/u/Pic tures", mounts) == []
    assert len(mounts_below(b"/", mounts)) == 4


@pytest.mark.parametrize(
    ("kind", "remote"),
    [
        ("ext4", False),
        ("btrfs", False),
        ("overlay", False),
        ("fuseblk", False),
        ("fuse.mergerfs", False),
        ("nfs", True),
        ("nfs4", True),
        ("cifs", True),
        ("9p", True),
        ("vboxsf", True),
        ("fuse.sshfs", True),
        ("fuse.rclone", True),
        ("fuse", True),
    ],
)
def test_which_file_systems_are_changed_from_elsewhere(kind, remote):
    assert Mount(1, b"/", kind).is_remote == remote


def test_this_system_lists_its_mounts():
    mount = mount_of(b"/proc", read_mounts())
    assert mount is not None
    assert mount.kind == "proc"


def test_a_folder_is_known_again_behind_a_mount_though_its_own_is_not_listed(tmp_path: Path) -> None:
    """As in a chroot. A link represents the bind mount: what is behind both is one folder."""
    photos, inner = tmp_path / "photos", tmp_path / "photos/2024"
    inner.mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for name, target in {"inner": inner, "whole": photos, "above": tmp_path}.items():
        (tmp_path / name).symlink_to(target)

    def reached(point: str, root: bytes, kind: str = "ext4") -> dict[bytes, bytes]:
        return bind_mounts_into(bytes(photos), [Mount(7, bytes(tmp_path / point), kind, b"8:1", root)])

    assert reached("inner", b"/srv/jail/photos/2024") == {bytes(tmp_path / "inner"): bytes(inner)}
    assert reached("whole", b"/srv/jail/photos") == {bytes(tmp_path / "whole"): bytes(photos)}
    assert reached("above", b"/srv/jail") == {bytes(tmp_path / "above/photos"): bytes(photos)}
    assert reached("other", b"/srv/jail/other") == {}
    assert reached("whole", b"/srv/jail/photos", "nfs4") == {}, "what may not answer is not asked"
