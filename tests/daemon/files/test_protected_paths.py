"""Which folder a path belongs to, and what protects it."""

from pathlib import Path

import pytest

from daemon.files.grounds import Grounds


@pytest.fixture
def grounds(tmp_path: Path) -> Grounds:
    """/photos; /safe, protected, with /safe/inbox that is not; /link, watched and not protected, leads into /safe."""
    for name in ("photos", "safe/inbox", "safe/deep", "best"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "safe" / "deep")
    (tmp_path / "photos" / "way in").symlink_to(tmp_path / "safe")
    roots = {"photos": False, "safe": True, "safe/inbox": False, "link": False}
    return Grounds.of({bytes(tmp_path / name): safe for name, safe in roots.items()}, [bytes(tmp_path / "best")])


@pytest.mark.parametrize(
    ("path", "protected"),
    [
        ("photos/a.jpg", False),
        ("safe/a.jpg", True),
        ("safe/deep/a.jpg", True),
        ("safe/inbox/a.jpg", False),
        ("safe/inbox", False),
        ("safe", True),
        ("safer/a.jpg", False),
        ("photos/way in/a.jpg", True),
        ("photos/way in/inbox/a.jpg", False),
        ("photos/../safe/a.jpg", True),
        ("link/a.jpg", True),
        ("best/a.jpg", False),
        ("elsewhere/a.jpg", False),
    ],
)
def test_what_is_protected(grounds: Grounds, tmp_path: Path, path: str, protected: bool) -> None:
    expected = bytes(tmp_path / "safe") if protected else None
    assert grounds.protector_of(bytes(tmp_path) + b"/" + path.encode()) == expected


def test_the_innermost_folder_holds_a_path(grounds: Grounds, tmp_path: Path) -> None:
    assert grounds.spot(bytes(tmp_path / "safe/inbox/x/a.jpg")).top == bytes(tmp_path / "safe/inbox")
    assert grounds.spot(bytes(tmp_path / "best/a.jpg")).top == bytes(tmp_path / "best")
    assert grounds.spot(bytes(tmp_path / "elsewhere/a.jpg")).top == bytes(tmp_path / "elsewhere")


def test_one_name_by_two_ways_is_one_entry(grounds: Grounds, tmp_path: Path) -> None:
    assert grounds.is_same_entry(bytes(tmp_path / "photos/way in/a.jpg"), bytes(tmp_path / "safe/a.jpg"))
    assert not grounds.is_same_entry(bytes(tmp_path / "photos/a.jpg"), bytes(tmp_path / "safe/a.jpg"))
