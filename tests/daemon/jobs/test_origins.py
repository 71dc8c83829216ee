"""The original among copies as people make them: what a detection proposes, and what it leaves to a person."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageEnhance, ImageFilter

from daemon.jobs.progress import NullProgress
from index.database.queries import listing, proposals
from index.database.queries.group_filter import GroupFilter
from index.database.records import matches
from index.database.records.jobs import DetectJobParameters
from support.detections import Detections
from support.library import Library
from support.pictures import photograph


@pytest.fixture
def detections(library: Library) -> Detections:
    return Detections(library)


def exif(software: str = "", when: str = "2019:07:14 11:22:33", gps: bool = False) -> bytes:
    block = Image.Exif()
    block[ExifTags.Base.Make], block[ExifTags.Base.Model] = "Canon", "Canon EOS 80D"
    if software:
        block[ExifTags.Base.Software] = software
    detail = block.get_ifd(ExifTags.IFD.Exif)
    detail[ExifTags.Base.DateTimeOriginal] = when
    detail[33434], detail[33437], detail[34855] = (1, 250), (28, 10), 200
    if gps:
        place = block.get_ifd(ExifTags.IFD.GPSInfo)
        place[1], place[2], place[3], place[4] = "N", (47.0, 22.0, 11.0), "E", (8.0, 32.0, 30.0)
    return block.tobytes()


def put(detections: Detections, name: str, data: bytes) -> Path:
    path = detections.photos / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    # Times say nothing.
    os.utime(path, ns=(10**18, 10**18))
    return path


def coded(image: Image.Image, picture_format: str = "JPEG", **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, picture_format, **options)
    return target.getvalue()


def again(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def proposal(detections: Detections) -> dict[str, Any]:
    detections.library.scan()
    (group,) = detections.detect()["groups"]
    return dict(group["proposal"])


def test_metadata_of_an_editor_does_not_outweigh_the_record_of_the_camera(detections: Detections) -> None:
    camera = coded(photograph(3), quality=95, subsampling=0, exif=exif(gps=True))
    put(detections, "IMG_0446.jpg", camera)
    profile = b"a profile" * 30
    made = coded(
        again(camera), quality=70, exif=exif("GIMP 2.10.36", gps=True), icc_profile=profile, xmp=b"<x:xmpmeta/>"
    )
    put(detections, "IMG_0446-gimp.jpg", made)
    found = proposal(detections)
    assert (found["path"], found["decided_by"], found["tie"]) == ("IMG_0446.jpg", "original", False)
    assert found["certainty"] >= 0.95
    assert "editing program" in found["speaking"][0]["sentence"]["en"]


def test_a_search_in_one_folder_proposes_the_original_as_well(detections: Detections) -> None:
    camera = coded(photograph(3), quality=95, subsampling=0, exif=exif(gps=True))
    original = put(detections, "holiday/IMG_0446.jpg", camera)
    put(detections, "holiday/IMG_0446-gimp.jpg", coded(again(camera), quality=70, exif=exif("GIMP 2.10.36", gps=True)))
    detections.library.scan()
    detections.detector.run(NullProgress(), DetectJobParameters(folders=[str(original.parent)]))
    with detections.library.store.read() as database:
        (kept,) = matches.searches(database)
        (group,) = listing.groups_page(database, GroupFilter(search=kept.id)).items
        found = proposals.outlines(database, [group.id])[group.id].proposal
        (path,) = database.execute_sql("SELECT path FROM image WHERE id = ?", (found.image_id,)).fetchone()
    assert (bytes(path), found.decided_by, found.tie) == (os.fsencode(original), "original", False)


def test_a_download_without_a_record_is_not_the_original_for_its_profile(detections: Detections) -> None:
    camera = coded(photograph(5), quality=93, subsampling=0, exif=exif())
    put(detections, "z/DSC_0001.jpg", camera)
    marks = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x0bFBMD0a\x1c\x02\x19\0\0"
    download = coded(again(camera), quality=71, icc_profile=b"a profile" * 30)
    segment = b"\xff\xed" + (len(marks) + 2).to_bytes(2, "big") + marks
    put(detections, "a/12345_n.jpg", download[:2] + segment + download[2:])
    found = proposal(detections)
    assert (found["path"], found["tie"]) == ("z/DSC_0001.jpg", False)


@pytest.mark.parametrize("bad", ["1970:01:01 00:00:00", "0001:01:01 00:00:00", "2000:01:01 00:00:00"])
def test_the_date_of_a_clock_that_was_reset_is_none(detections: Detections, bad: str) -> None:
    put(detections, "z/orig.jpg", coded(photograph(3), quality=92, exif=exif()))
    put(detections, "a.jpg", coded(photograph(3), quality=92, exif=exif(when=bad)))
    found = proposal(detections)
    assert (found["path"], found["tie"]) == ("z/orig.jpg", False)


RESET_TIMES = {"1904": -2_082_844_800, "1970": 0, "1980": 315_529_200, "2000": 946_684_800, "in the future": 4 * 10**9}


@pytest.mark.parametrize("seconds", RESET_TIMES.values(), ids=RESET_TIMES.keys())
def test_a_time_of_the_file_that_cannot_be_is_none(detections: Detections, seconds: int) -> None:
    """Of a copy that an archive or a clock gave such a time, the original is not the younger one."""
    data = coded(photograph(3), quality=92)
    put(detections, "a/deeper.jpg", data)
    os.utime(put(detections, "b.jpg", data), (seconds, seconds))
    found = proposal(detections)
    assert (found["path"], found["decided_by"], found["tie"]) == ("a/deeper.jpg", "age", False)


WORDS = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' xmp:Rating="5"><dc:subject><rdf:Bag><rdf:li>grandmother</rdf:li></rdf:Bag></dc:subject></rdf:Description>'
    b"</rdf:RDF></x:xmpmeta>"
)


def test_keywords_count_more_than_a_date_in_the_future_or_blocks_without_content(detections: Detections) -> None:
    put(detections, "z/described.jpg", coded(photograph(3), quality=92, xmp=WORDS))
    ahead = Image.Exif()
    ahead.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2087:03:04 10:00:00"
    put(detections, "a.jpg", coded(photograph(3), quality=92, exif=ahead.tobytes()))
    marks = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x0bFBMD0a\x1c\x02\x19\0\0"
    plain = coded(photograph(3), quality=92, xmp=b"<x:xmpmeta/>")
    put(detections, "b.jpg", plain[:2] + b"\xff\xed" + (len(marks) + 2).to_bytes(2, "big") + marks + plain[2:])
    found = proposal(detections)
    assert (found["path"], found["decided_by"], found["tie"]) == ("z/described.jpg", "metadata", False)


@pytest.mark.parametrize("companion", ["IMG_0003.CR2", "IMG_0003.MOV"])
def test_a_raw_file_or_film_counts_more_than_a_sidecar(detections: Detections, companion: str) -> None:
    data = coded(photograph(3), quality=92, exif=exif())
    put(detections, "archive/holiday/IMG_0003.JPG", data)
    put(detections, f"archive/holiday/{companion}", b"\0\0\0\x14ftypqt  " + bytes(100))
    put(detections, "a/IMG_0003.JPG", data)
    put(detections, "a/IMG_0003.xmp", WORDS)
    found = proposal(detections)
    assert (found["path"], found["decided_by"], found["tie"]) == ("archive/holiday/IMG_0003.JPG", "companions", False)


def test_the_sidecar_with_keywords_is_kept_and_not_an_empty_one(detections: Detections) -> None:
    data = coded(photograph(3), quality=92, exif=exif())
    for folder, packet in (("archive/holiday", WORDS), ("a", b"<x:xmpmeta/>")):
        put(detections, f"{folder}/IMG_0003.JPG", data)
        put(detections, f"{folder}/IMG_0003.JPG.xmp", packet)
    found = proposal(detections)
    assert (found["path"], found["decided_by"], found["tie"]) == ("archive/holiday/IMG_0003.JPG", "metadata", False)


@pytest.mark.parametrize("larger", ["PNG", "BMP"])
def test_a_webp_with_the_pixels_of_a_larger_file_is_kept(detections: Detections, larger: str) -> None:
    put(detections, "z/small.webp", coded(photograph(3), "WEBP", lossless=True))
    put(detections, f"a.{larger.lower()}", coded(photograph(3), larger))
    found = proposal(detections)
    assert (found["path"], found["decided_by"], found["tie"]) == ("z/small.webp", "size", False)


def test_a_palette_with_the_pixels_of_a_larger_file_is_kept(detections: Detections) -> None:
    palette = photograph(3).quantize(64)
    put(detections, "z/small.png", coded(palette, "PNG"))
    put(detections, "a.png", coded(palette.convert("RGB"), "PNG"))
    found = proposal(detections)
    assert (found["path"], found["decided_by"], found["tie"]) == ("z/small.png", "size", False)


@pytest.mark.parametrize("companion", ["IMG_0003.JPG.xmp", "IMG_0003.xmp", "IMG_0003.MOV", "IMG_0003.CR2"])
def test_the_file_that_has_its_companion_next_to_it_is_kept(detections: Detections, companion: str) -> None:
    data = coded(photograph(3), quality=92, exif=exif())
    put(detections, "archive/holiday/IMG_0003.JPG", data)
    put(detections, "a/IMG_0003.JPG", data)
    put(detections, f"archive/holiday/{companion}", b"\0\0\0\x14ftypqt  " + bytes(100))
    found = proposal(detections)
    assert (found["path"], found["decided_by"], found["tie"]) == ("archive/holiday/IMG_0003.JPG", "companions", False)


@pytest.mark.parametrize(
    ("larger", "smaller"),
    [
        (("BMP", "RGB", {}), ("PNG", "RGB", {})),
        (("TIFF", "RGB", {}), ("PNG", "RGB", {})),
        (("PNG", "RGB", {"compress_level": 0}), ("PNG", "L", {})),
    ],
)
def test_of_equal_pixels_the_smaller_lossless_file_is_kept(detections: Detections, larger: Any, smaller: Any) -> None:
    picture = photograph(2).convert("L")
    for name, (picture_format, mode, options) in (("a", larger), ("b/b", smaller)):
        put(detections, f"{name}.{picture_format.lower()}", coded(picture.convert(mode), picture_format, **options))
    found = proposal(detections)
    assert (found["path"], found["tie"]) == ("b/b.png", False)


def test_a_lossless_file_with_the_pixels_of_a_jpeg_was_made_from_it(detections: Detections) -> None:
    camera = coded(photograph(6), quality=90)
    put(detections, "z/1.jpg", camera)
    put(detections, "0.png", coded(again(camera), "PNG"))
    found = proposal(detections)
    assert (found["path"], found["decided_by"], found["tie"]) == ("z/1.jpg", "first_coded", False)


def test_by_pixels_alone_the_original_of_a_brightened_copy_is_found(detections: Detections) -> None:
    camera = coded(photograph(7), quality=85)
    put(detections, "2.jpg", camera)
    put(detections, "1.jpg", coded(ImageEnhance.Brightness(again(camera)).enhance(1.2), quality=97, subsampling=0))
    detections.library.scan()
    (group,) = detections.detect()["groups"]
    assert (group["proposal"]["path"], group["proposal"]["tie"]) == ("2.jpg", False)
    said = {image["path"]: image.get("sentence", {}).get("en", "") for image in group["images"]}
    assert "brighter" in said["1.jpg"]
    assert "darker" not in said["2.jpg"]


def test_what_no_pixel_can_decide_is_left_to_a_person(detections: Detections) -> None:
    picture = photograph(8)
    put(detections, "1.jpg", coded(picture.filter(ImageFilter.GaussianBlur(0.7)), quality=90))
    put(detections, "2.jpg", coded(picture, quality=90))
    found = proposal(detections)
    assert found["tie"]
    assert found["certainty"] < 0.95


def test_each_picture_is_traced_once_and_only_where_there_is_a_near_match(detections: Detections) -> None:
    camera = coded(photograph(9), quality=90)
    put(detections, "1.jpg", camera)
    put(detections, "again.jpg", camera)
    put(detections, "alone.jpg", coded(photograph(10), quality=90))
    put(detections, "pixels.png", coded(again(camera), "PNG"))
    detections.library.scan()
    detections.detect()
    assert "trace_picture" not in detections.pool.asked
    put(detections, "small.jpg", coded(again(camera).resize((320, 240), Image.Resampling.LANCZOS), quality=80))
    detections.scan()
    assert detections.pool.asked.count("trace_picture") == 3
    detections.detector.update(NullProgress())
    detections.detect()
    assert detections.pool.asked.count("trace_picture") == 3


def test_an_index_made_before_is_completed_by_its_first_update(detections: Detections, library: Library) -> None:
    camera = coded(photograph(11), quality=90, exif=exif())
    put(detections, "1.jpg", camera)
    put(detections, "2.jpg", coded(again(camera).resize((320, 240)), quality=80))
    before = proposal(detections)
    assert not before["tie"]
    for table in ("trace", "origin"):
        library.store.write(lambda database, name=table: database.execute_sql(f"DELETE FROM {name}"))
    later = Detections(library)
    assert later.result()["groups"][0]["proposal"]["tie"]
    later.detector.update(NullProgress())
    assert later.result()["groups"][0]["proposal"] == before


def test_members_of_a_large_group_are_compared_by_way_of_its_reference(
    detections: Detections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the reference is compared with each: what leads from it to two others leads from one to the other."""
    for module in ("imaging.grouping.groups", "database.records.origins", "database.queries.group_origins"):
        monkeypatch.setattr(f"index.{module}.COMPARED", 1)
    camera = coded(photograph(3), quality=90, subsampling=0, exif=exif())
    put(detections, "a.jpg", camera)
    for quality in (75, 80, 95):
        put(detections, f"{quality}.jpg", coded(again(camera), quality=quality))
    put(detections, "mirrored.png", coded(again(camera).transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"))
    found = proposal(detections)
    assert detections.pool.asked.count("verify_pair") == 4
    assert detections.pool.asked.count("trace_picture") == 5
    assert (found["path"], found["tie"]) == ("a.jpg", False)
    with detections.library.store.read() as database:
        rows = database.execute_sql("SELECT via_id = a_id, findings FROM origin ORDER BY a_id, b_id").fetchall()
    assert [by_itself for by_itself, _ in rows].count(0) == 6
    assert any(findings != '{"back": {}, "forward": {}}' for by_itself, findings in rows if not by_itself)
    detections.pool.asked.clear()
    again_found = proposal(detections)
    assert again_found == found
    assert "compare_origins" not in detections.pool.asked, "what was found is kept"
