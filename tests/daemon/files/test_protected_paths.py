"""Which folder a path belongs to, and what protects it."""

from pathlib import Path

import pytest

from daemon.files.protected_paths import ManagedFolders


@pytest.fixture
def folders(tmp_path: Path) -> ManagedFolders:
    """/photos; /safe, protected, with /safe/inbox that is not; /link, watched and not protected, leads into /safe."""
    for name in ("photos", "safe/inbox", "safe/deep", "best"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "safe" / "deep")
    (tmp_path / "photos" / "way in").symlink_to(tmp_path / "safe")
    roots = {"photos": False, "safe": True, "safe/inbox": False, "link": False}
    return ManagedFolders.of({bytes(tmp_path / name): safe for name, safe in roots.items()}, [bytes(tmp_path / "best")])


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
def test_what_is_protected(folders: ManagedFolders, tmp_path: Path, path: str, protected: bool) -> None:
    expected = bytes(tmp_path / "safe") if protected else None
    assert folders.protector_of(bytes(tmp_path) + b"/" + path.encode()) == expected


def test_the_innermost_folder_holds_a_path(folders: ManagedFolders, tmp_path: Path) -> None:
    assert folders.file_ref(bytes(tmp_path / "safe/inbox/x/a.jpg")).top == bytes(tmp_path / "safe/inbox")
    assert folders.file_ref(bytes(tmp_path / "best/a.jpg")).top == bytes(tmp_path / "best")
    assert folders.file_ref(bytes(tmp_path / "elsewhere/a.jpg")).top == bytes(tmp_path / "elsewhere")


def test_one_name_by_two_ways_is_one_entry(folders: ManagedFolders, tmp_path: Path) -> None:
    assert folders.is_same_entry(bytes(tmp_path / "photos/way in/a.jpg"), bytes(tmp_path / "safe/a.jpg"))
    assert not folders.is_same_entry(bytes(tmp_path / "photos/a.jpg"), bytes(tmp_path / "safe/a.jpg"))


def test_files_looked_up_with_others_of_their_folder_are_protected_as_alone(tmp_path: Path) -> None:
    """A folder with a marker of its own, a root that is absent, and links next to plain files."""
    for name in ("photos/marked", "photos/plain", "safe"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "photos/marked/.comparimg-protected").touch()
    (tmp_path / "photos/plain/a.jpg").touch()
    (tmp_path / "photos/way").symlink_to(tmp_path / "safe")
    roots = {"photos": False, "safe": True, "photos/absent": True, "photos/plain/open": False}
    paths = [
        bytes(tmp_path / name)
        for name in (
            "photos/none.jpg", "photos/absent", "photos/absent/a.jpg", "photos/marked", "photos/marked/a.jpg",
            "photos/plain", "photos/plain/a.jpg", "photos/plain/open", "photos/way", "photos/way/a.jpg", "safe",
            "x.jpg",
        )
    ]  # fmt: skip

    def folders() -> ManagedFolders:
        return ManagedFolders.of({bytes(tmp_path / name): safe for name, safe in roots.items()})

    together = folders()
    assert [together.protector_of(path) for path in paths] == [folders().protector_of(path) for path in paths]
    expected = {"absent", "absent/a.jpg", "marked", "marked/a.jpg", "way/a.jpg"}
    protected = {path for path in paths if together.protector_of(path)}
    assert protected == {bytes(tmp_path / "photos" / name) for name in expected} | {bytes(tmp_path / "safe")}


def test_a_path_of_a_thousand_folders_is_looked_up(folders: ManagedFolders, tmp_path: Path) -> None:
    deep = bytes(tmp_path / "safe") + b"/d" * 1_800 + b"/a.jpg"
    assert folders.protector_of(deep) == bytes(tmp_path / "safe")
