"""The manifest of a trash: what is written can be read, and what is read is checked, however it was made."""

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.files import trash_manifest
from daemon.files.trash_manifest import Entry, line_of, parse, read_lines

HOME = b"/photos/.comparimg-trash"
ENTRY = Entry(
    "trash", HOME + b"/20260101-000000-sort-1/12-\xff.jpg", b"/photos/a/\xff.jpg", 5, -7, -9, bytes(range(32)), 1,
    1_700_000_000 * 10**9, b"a/\xff.jpg",
)  # fmt: skip
GOOD = json.loads(line_of(HOME, ENTRY))


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_a_line_is_read_back_as_it_was_written() -> None:
    assert parse(HOME, line_of(HOME, ENTRY)) == ENTRY
    outside = replace(ENTRY, path=b"/best/x.jpg", relative=b"")
    assert parse(HOME, line_of(HOME, outside)) == outside, "a path that is not below the folder has no relative one"


def test_a_line_of_an_older_version_has_no_relative_path() -> None:
    fields = {name: value for name, value in GOOD.items() if name != "path"}
    assert parse(HOME, json.dumps(fields).encode()) == replace(ENTRY, relative=b"")


@pytest.mark.attack("hostile lines in a manifest: any values, any bytes, any length")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event", "delete"), ("event", None), ("event", ["trash"]),
        ("file", "/etc/passwd"), ("file", "../x/y"), ("file", "manifest.jsonl"), ("file", "a/b/c"), ("file", "a/\0"),
        ("file", 5), ("file", None), ("file", "a/\ud800"), ("file", ".comparimg-trash/x"),
        ("from", "relative.jpg"), ("from", "/a/../b"), ("from", "/a\0b"), ("from", ""), ("from", "/" + "a/" * 3000),
        ("from", {"a": 1}),
        ("bytes", -1), ("bytes", 2**63), ("bytes", 10**400), ("bytes", 1.0), ("bytes", True), ("bytes", "5"),
        ("bytes", float("nan")), ("bytes", float("inf")), ("bytes", None),
        ("mtime_ns", 2**63), ("mtime_ns", -(2**63)), ("mtime_ns", float("nan")), ("mtime_ns", False),
        ("inode", 2**64), ("inode", 1.5), ("inode", []),
        ("batch", -1), ("batch", 2**63), ("batch", "x"),
        ("at", "yesterday"), ("at", 5), ("at", "0001-01-01"), ("at", "9999-12-31T23:59:59+00:00"), ("at", None),
    ],
)  # fmt: skip
def test_a_line_with_a_value_that_cannot_be_is_passed_over(name: str, value: Any) -> None:
    assert parse(HOME, json.dumps({**GOOD, name: value}).encode()) is None


@pytest.mark.parametrize("name", [name for name in GOOD if name != "path"])
def test_a_line_without_a_value_is_passed_over(name: str) -> None:
    assert parse(HOME, json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()) is None


@pytest.mark.attack("hostile lines in a manifest: any values, any bytes, any length")
@pytest.mark.parametrize("relative", ["/etc/x", "../x", ".config/x", "a/../../x", "", "a/\0", "x" * 5000])
def test_a_relative_path_that_leads_elsewhere_is_none(relative: str) -> None:
    assert parse(HOME, json.dumps({**GOOD, "path": relative}).encode()) == replace(ENTRY, relative=b"")


@pytest.mark.parametrize("digest", ["", "00" * 31, "00" * 33, "zz" * 32, None, 5, ["00"]])
def test_what_is_no_digest_is_none(digest: Any) -> None:
    assert parse(HOME, json.dumps({**GOOD, "blake3": digest}).encode()) == replace(ENTRY, digest=b"")


@pytest.mark.attack("hostile lines in a manifest: any values, any bytes, any length")
@pytest.mark.parametrize("line", [b"", b"\0" * 100, b"[" * 60_000, b'{"a":' * 10_000, b"null", b"\xff\xfe{}", b"[]"])
def test_what_is_no_line_is_passed_over(line: bytes) -> None:
    assert parse(HOME, line) is None


VALUES = st.recursive(
    st.sampled_from([*GOOD.values(), None, True]) | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=150)
@given(st.fixed_dictionaries({name: st.just(value) | VALUES for name, value in GOOD.items()}))
@pytest.mark.attack("hostile lines in a manifest: any values, any bytes, any length")
def test_any_line_is_read_or_passed_over(fields: dict[str, Any]) -> None:
    entry = parse(HOME, json.dumps(fields).encode())
    if entry is not None:
        assert entry.place.startswith(HOME + b"/")
        assert b".." not in entry.place.split(b"/")
        assert all(
            -(2**63) <= number < 2**63 for number in (entry.inode, entry.size_bytes, entry.mtime_ns, entry.at_ns)
        )
        assert parse(HOME, line_of(HOME, entry)) is not None


@settings(max_examples=100)
@given(st.binary(max_size=200))
@pytest.mark.attack("hostile lines in a manifest: any values, any bytes, any length")
def test_bytes_are_no_line(line: bytes) -> None:
    parse(HOME, line)


# Reading


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40) | st.sampled_from([96, 97, 300, 5_000]), max_size=12),
    st.booleans(),
    st.integers(0, 10),
)
def test_lines_are_those_of_the_file_wherever_reading_begins(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], ended: bool, left: int
) -> None:
    lines = [bytes([65 + number]) * length for number, length in enumerate(lengths)]
    file = tmp_path_factory.mktemp("lines") / "file"
    file.write_bytes(b"\n".join(lines) + (b"\n" if ended and lines else b""))
    with pytest.MonkeyPatch.context() as patch, opened(file) as descriptor:
        patch.setattr(trash_manifest, "LONGEST_LINE_BYTES", 96)
        patch.setattr(trash_manifest, "PIECE_BYTES", 64)
        whole = list(read_lines(descriptor))
        kept = [line if len(line) <= 96 else b"" for line in lines]
        if not ended and kept and not lines[-1]:
            kept.pop()
        assert [line for line, _ in whole] == kept
        if left < len(whole):
            assert list(read_lines(descriptor, whole[left][1])) == whole[left + 1 :] or not ended


@pytest.mark.attack("hostile lines in a manifest: any values, any bytes, any length")
def test_a_line_of_a_quarter_of_a_gigabyte_is_skipped_with_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "manifest.jsonl"
    with file.open("wb") as made:
        made.truncate(2**28)
        made.seek(0, os.SEEK_END)
        made.write(b"\n" + line_of(HOME, ENTRY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with opened(file) as descriptor:
        entries = [parse(HOME, line) for line, _ in read_lines(descriptor) if line]
    assert entries == [ENTRY]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000, "kilobytes"


def test_a_line_longer_than_what_is_read_at_a_time_is_passed(tmp_path: Path) -> None:
    file = tmp_path / "manifest.jsonl"
    file.write_bytes(b"x" * 2_000_000 + b"\n" + line_of(HOME, ENTRY))
    read: list[tuple[bytes, int]] = [(b"", 0)]
    with opened(file) as descriptor:
        for _ in range(5):
            read += list(read_lines(descriptor, read[-1][1], 600_000))
    assert [entry for line, _ in read if (entry := parse(HOME, line))] == [ENTRY]


def test_reading_ends_at_the_given_limit_and_goes_on_there(tmp_path: Path) -> None:
    file = tmp_path / "manifest.jsonl"
    file.write_bytes(b"".join(b"%06d\n" % number for number in range(100_000)))
    with opened(file) as descriptor:
        first = list(read_lines(descriptor, 0, 300_000))
        assert 40_000 < len(first) < 100_000
        rest = list(read_lines(descriptor, first[-1][1]))
    assert [int(line) for line, _ in (*first, *rest)] == list(range(100_000))
