"""What is shown of groups: the image to keep by all that is known of its file, and the weakest match."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.database import schema
from index.database.queries import proposals
from index.database.queries.proposals import Outline, WeakestLink
from index.database.store import Store
from index.imaging.grouping.keeper import CRITERIA, ORIGINAL
from index.model import Description, Kind, Turn
from support.weblibrary import Library

# What decides where a person has chosen an order without the original.
OTHERS = tuple(criterion for criterion in CRITERIA if criterion != ORIGINAL)
# In 1998.
OLD_NS = 9 * 10**17


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Store(tmp_path / "data") as store:
        made = Library(store, Path("/photos"))
        made.add_root()
        made.add_detection()
        yield made


def outline_of(library: Library, key: str, *criteria: str) -> Outline:
    with library.store.read() as database:
        (group_id,) = database.execute_sql("SELECT id FROM duplicate_group WHERE key = ?", (key,)).fetchone()
        return proposals.outlines(database, [group_id], criteria or None)[group_id]


def pair(library: Library, evidence: dict[str, Any], swapped: bool = False, **second: Any) -> tuple[int, int, str]:
    """Two images and their group; `swapped` makes the one with the larger id the reference."""
    contents = [library.add_content(1), library.add_content(2, **second)]
    images = [library.add_image(content, f"{content}.jpg") for content in contents]
    reference, member = contents[::-1] if swapped else contents
    key = library.add_group(reference, (member, Kind.NEAR, 5, Turn.NONE), evidence=evidence)
    return images[0], images[1], key


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("evidence", "decided_by", "kept"),
    [
        ({"frame": "second"}, "whole", 0),
        ({"frame": "first"}, "whole", 1),
        ({"crop": {"of": "first", "box": [0.1, 0.1, 0.9, 0.9]}}, "whole", 0),
        ({"crop": {"of": "second", "box": [0.1, 0.1, 0.9, 0.9]}}, "whole", 1),
        ({"crop": {"of": "first", "box": [0.0, 0.0, 1.0, 0.98]}}, "resolution", 1),
        ({"tone": {"grey": "second"}}, "coloured", 0),
        ({"frames": [12, 1]}, "whole", 0),
        ({"frames": [1, 12]}, "whole", 1),
    ],
)
def test_a_larger_copy_that_lacks_something_is_not_kept(
    library: Library, evidence: dict[str, Any], decided_by: str, kept: int, swapped: bool
) -> None:
    """The second image is the larger one; evidence is stored from the smaller id to the larger."""
    *images, key = pair(library, evidence, swapped, width=8000, height=6000)
    proposal = outline_of(library, key, *OTHERS).proposal
    assert (proposal.image_id, proposal.decided_by) == (images[kept], decided_by)


def test_the_copy_of_a_framed_reference_is_framed_too(library: Library) -> None:
    framed, plain, copy = (
        library.add_content(number, width=width, height=width * 3 // 4)
        for number, width in ((1, 9000), (2, 4000), (3, 8000))
    )
    images = {content: library.add_image(content, f"{content}.jpg") for content in (framed, plain, copy)}
    key = library.add_group(framed, (plain, Kind.NEAR, 5, Turn.NONE), (copy, Kind.NEAR, 1, Turn.NONE), evidence={})
    evidence = '{"frame": "first"}'
    library.write(lambda db: schema.Match.update(evidence=evidence).where(schema.Match.b == plain).execute(db))
    assert outline_of(library, key).proposal.image_id == images[plain]


@pytest.mark.parametrize(
    ("evidence", "decided_by", "kept"),
    [
        ({"sharpness": 1.7}, "age", 0),
        ({"tone": {"brightness": 20}}, "age", 0),
        ({"changed": 0.02}, "age", 0),
        ({}, "size", 1),
    ],
)
def test_the_larger_file_of_a_sharpened_copy_is_no_reason_to_keep_it(
    library: Library, evidence: dict[str, Any], decided_by: str, kept: int
) -> None:
    *images, key = pair(library, evidence)
    for image_id, size_bytes in zip(images, (1000, 2000), strict=True):
        change = schema.Image.update(size_bytes=size_bytes, mtime_ns=OLD_NS + image_id * 10**10).where(
            schema.Image.id == image_id
        )
        library.write(change.execute)
    proposal = outline_of(library, key, *OTHERS).proposal
    assert (proposal.image_id, proposal.decided_by) == (images[kept], decided_by)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("picture_format", "size_bytes", "noise", "decided_by", "kept"),
    [
        ("WEBP", 500, 0.6, "size", 0),
        ("AVIF", 500, 0.6, "size", 0),
        # Smoothed, and kept without loss.
        ("WEBP", 2000, 0.6, "age", 1),
        # No compression adds noise to a file of fewer bytes.
        ("WEBP", 500, 1.6, "age", 1),
        ("JPEG", 500, 0.6, "age", 1),
    ],
)
def test_noise_that_compression_took_is_no_reason_to_go_by_age(
    library: Library, picture_format: str, size_bytes: int, noise: float, decided_by: str, kept: int, swapped: bool
) -> None:
    """The second image is the copy, and its file is the older one."""
    quality = 92 if picture_format == "JPEG" else 0
    *images, key = pair(library, {"noise": noise}, swapped, format=picture_format, jpeg_quality=quality)
    change = schema.Image.update(size_bytes=size_bytes, mtime_ns=OLD_NS).where(schema.Image.id == images[1])
    library.write(change.execute)
    proposal = outline_of(library, key, *OTHERS).proposal
    assert (proposal.image_id, proposal.decided_by) == (images[kept], decided_by)


def test_the_settings_order_of_criteria_is_followed(library: Library) -> None:
    first, second, key = pair(library, {}, width=8000, height=6000)
    assert outline_of(library, key, *OTHERS).proposal.image_id == second
    library.write(lambda db: schema.Image.update(mtime_ns=OLD_NS).where(schema.Image.id == first).execute(db))
    assert outline_of(library, key, "age", *OTHERS).proposal.image_id == first


def alike(library: Library, *metadata: dict[str, Any]) -> tuple[list[int], str]:
    """Images with equal pixels and these properties, and their group."""
    contents = [library.add_content(n, **given) for n, given in enumerate(metadata)]
    images = [library.add_image(content, f"{content}.jpg") for content in contents]
    return images, library.add_group(contents[0], *((other, Kind.PIXELS, 0, Turn.NONE) for other in contents[1:]))


def test_a_date_or_a_time_in_the_future_is_none(library: Library) -> None:
    """A camera whose clock ran ahead recorded nothing; keywords say more, and so does any time that can be."""
    ahead = {"taken": "2087-03-04T10:00:00", "camera": "", "metadata": "exif"}
    written = {"taken": "", "camera": "", "metadata": "xmp", "description": Description(keywords=("garden",))}
    images, key = alike(library, ahead, written)
    proposal = outline_of(library, key).proposal
    assert (proposal.image_id, proposal.decided_by) == (images[1], "metadata")
    library.write(lambda db: schema.Image.update(mtime_ns=4 * 10**18).where(schema.Image.id == images[1]).execute(db))
    proposal = outline_of(library, key, "age").proposal
    assert (proposal.image_id, proposal.decided_by) == (images[0], "age")


def test_a_sidecar_counts_by_what_it_says(library: Library) -> None:
    (empty, described), key = alike(library, {}, {})
    said = {empty: Description(), described: Description(rating=5, keywords=("grandmother",))}
    for image, description in said.items():
        row = schema.Beside.insert(image=image, bonds="sidecar", description=description)
        library.write(lambda db, row=row: row.execute(db))
    proposal = outline_of(library, key).proposal
    assert (proposal.image_id, proposal.decided_by) == (described, "metadata")


def test_a_file_that_a_protected_folder_reaches_too_is_protected(library: Library) -> None:
    first, _, key = pair(library, {})
    with library.store.read() as database:
        same_file = dict(zip(("device", "inode"), database.execute_sql(
            "SELECT device, inode FROM image WHERE id = ?", (first,)
        ).fetchone(), strict=True))  # fmt: skip
    library.add_image(1, "", library.add_root(Path("/zoo"), protected=True), path=b"/zoo/again.jpg", **same_file)
    proposal = outline_of(library, key, *OTHERS).proposal
    assert (proposal.image_id, proposal.decided_by) == (first, "protected")


def test_the_weakest_link_is_the_least_sure_and_then_the_most_distant(library: Library) -> None:
    contents = [library.add_content(n) for n in range(4)]
    images = [library.add_image(content, f"{content}.jpg") for content in contents]
    others = [(content, Kind.NEAR, 10 * n, Turn.NONE) for n, content in enumerate(contents[1:], 1)]
    key = library.add_group(contents[0], *others)
    assert outline_of(library, key).weakest == WeakestLink(images[3], Kind.NEAR, 0.97, 30)
    least = contents[1]
    library.write(lambda db: schema.Match.update(confidence=0.5).where(schema.Match.b == least).execute(db))
    assert outline_of(library, key).weakest == WeakestLink(images[1], Kind.NEAR, 0.5, 10)


def test_equal_bytes_have_no_weak_link_and_leave_the_choice_to_age_or_path(library: Library) -> None:
    content = library.add_content(1)
    library.add_image(content, "copies/a.jpg")
    first = library.add_image(content, "a.jpg")
    outline = outline_of(library, library.add_group(content))
    assert outline.weakest is None
    assert (outline.proposal.image_id, outline.proposal.tie) == (first, False)


def test_only_files_that_take_part_are_proposed(library: Library) -> None:
    first, second, key = pair(library, {}, width=8000, height=6000)
    gone = library.add_root(Path("/gone"), watched=False)
    library.write(lambda db: schema.Image.update(root=gone).where(schema.Image.id == second).execute(db))
    outline = outline_of(library, key)
    assert (outline.proposal.image_id, outline.proposal.reasons, outline.weakest) == (first, (), None)
