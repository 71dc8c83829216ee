"""Where a file of a trash may come back to, whatever its manifest says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.imaging.discovery.trash_places import (
    RestoreTarget,
    adopted_restore_target,
    holder_of,
    home_of,
    is_absolute,
    is_trash_name,
    is_visible,
    origin,
    own_name,
    restore_target,
)

PLACE = b"/photos/.comparimg-trash/20260101-000000-sort-1/12-IMG_1.jpg"
SELF = {b"/photos": b"", b"/mnt/disk/photos": b""}
PATHS = st.binary(max_size=30) | st.lists(
    st.sampled_from([b"", b".", b"..", b"a", b"photos", b".comparimg-trash", b".config", b"\0", b"\xff", b"x" * 300])
).map(b"/".join)


@pytest.mark.parametrize(
    ("path", "relative", "expected"),
    [
        (b"/photos/a/x.jpg", b"", (b"/photos/a/x.jpg", b"")),
        (b"/mnt/disk/photos/a/x.jpg", b"", (b"/photos/a/x.jpg", b"")),
        (b"/photos/a/x.jpg", b"b/y.jpg", (b"/photos/a/x.jpg", b"")),
        (b"/media/stick/a/x.jpg", b"a/x.jpg", (b"/media/stick/a/x.jpg", b"/photos/a/x.jpg")),
        (b"/media/stick/a/x.jpg", b"", (b"/media/stick/a/x.jpg", b"/photos/IMG_1.jpg")),
        (b"/media/stick/a/x.jpg", b"../x.jpg", (b"/media/stick/a/x.jpg", b"/photos/IMG_1.jpg")),
        (b"/media/stick/a/x.jpg", b".config/x", (b"/media/stick/a/x.jpg", b"/photos/IMG_1.jpg")),
        (b"/photos/.config/x", b".config/x", (b"/photos/.config/x", b"/photos/IMG_1.jpg")),
        (b"/photos/.comparimg-trash/x", b"a/x", (b"/photos/.comparimg-trash/x", b"/photos/a/x")),
        (b"/photosynthesis/x.jpg", b"", (b"/photosynthesis/x.jpg", b"/photos/IMG_1.jpg")),
        (b"/photos", b"", (b"/photos", b"/photos/IMG_1.jpg")),
    ],
)
def test_what_a_manifest_says_of_a_place(path: bytes, relative: bytes, expected: tuple[bytes, bytes]) -> None:
    assert origin(PLACE, path, relative, SELF) == expected


def test_a_configured_folder_inside_the_holder_is_a_part_of_it() -> None:
    assert origin(PLACE, b"/link/x.jpg", b"", {**SELF, b"/link": b"a/b"}) == (b"/photos/a/b/x.jpg", b"")


@given(PATHS.map(lambda path: b"/" + path), PATHS, st.sampled_from([SELF, {}, {b"/": b""}, {**SELF, b"/a": b"b"}]))
def test_no_manifest_leads_out_or_to_a_hidden_name(path: bytes, relative: bytes, prefixes: dict[bytes, bytes]) -> None:
    way = adopted_restore_target(PLACE, *origin(PLACE, path, relative, prefixes))
    assert way.path.startswith(b"/photos/")
    assert all(part and not part.startswith(b".") and b"\0" not in part for part in way.path[8:].split(b"/"))
    assert way.asks or way.path == path or any(path.startswith(prefix) for prefix in prefixes)


@given(PATHS, PATHS)
def test_a_row_of_the_index_copied_from_a_manifest_does_not_lead_out_either(path: bytes, elsewhere: bytes) -> None:
    way = adopted_restore_target(PLACE, path, elsewhere)
    assert way.path.startswith(b"/photos/")
    assert is_visible(way.path[8:])
    assert way.asks or way.path == path


def test_a_file_of_the_index_comes_back_to_its_place() -> None:
    assert restore_target(b"/photos/.hidden/x.jpg", True) == RestoreTarget(b"/photos/.hidden/x.jpg")
    assert restore_target(b"/was/x.jpg", False) == RestoreTarget(b"/was/x.jpg", asks=True)
    assert restore_target(b"/photos/.comparimg-x.part", True) == RestoreTarget(b"/photos/comparimg-x.part")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (b"b/12-IMG_1.jpg", b"IMG_1.jpg"),
        (b"b/IMG_1.jpg", b"IMG_1.jpg"),
        (b"b/1-2-x", b"2-x"),
        (b"b/1-.bashrc", b"bashrc"),
        (b"b/1-...", b"file"),
        (b"b/1-", b"1-"),
        (b"b/1-a\nb", b"a\nb"),
    ],
)
def test_the_name_of_a_file_without_the_number_of_its_step(place: bytes, name: bytes) -> None:
    assert own_name(b"/photos/.comparimg-trash/" + place) == name


@pytest.mark.parametrize(
    "name",
    [b"", b"x", b"manifest.jsonl", b"a/b/c", b"../x", b"a/..", b"/a/b", b"a//b", b"a/", b"a/\0", b"./b",
     b".comparimg-trash/x", b"a/.comparimg-x.part", b"a/" + b"x" * 256],
)  # fmt: skip
def test_what_is_no_name_of_ours_in_a_trash(name: bytes) -> None:
    assert not is_trash_name(name)


def test_names_and_paths_of_ours() -> None:
    assert is_trash_name(b"20260101-000000-sort-1/12-\xff \n.jpg")
    assert is_absolute(b"/a/\xff/.b")
    assert not any(map(is_absolute, [b"a", b"/", b"/a/../b", b"//a", b"/a\0", b"/a/", b"/" + b"a/" * 3000]))
    assert home_of(PLACE) == b"/photos/.comparimg-trash"
    assert holder_of(home_of(b"/.comparimg-trash/b/1-x")) == b"/"
    assert adopted_restore_target(b"/.comparimg-trash/b/1-x", b"/home/x", b"") == RestoreTarget(b"/home/x")
