"""A RAW and the image of its shot are companions; a conversion under another name is possibly a copy of the RAW."""

import io

import pytest

from index.imaging.discovery.companions import of_one_shot
from support.detections import Detections
from support.file_kinds import raw
from support.library import Library
from support.pictures import photograph, save


def test_a_raw_its_shot_and_its_conversion(library: Library):
    preview = io.BytesIO()
    photograph(1).save(preview, "JPEG", quality=92)
    data = raw("NEF", preview.getvalue(), (1280, 960))
    (library.photos / "DSC_1.NEF").write_bytes(data)
    save(photograph(1), library.photos / "dsc_1.jpg", quality=95)
    (library.photos / "two").mkdir()
    (library.photos / "two" / "DSC_1.NEF").write_bytes(data)
    save(photograph(2), library.photos / "DSC_2.jpg", quality=95)
    found = Detections(library)
    found.scan()
    result = found.detect()
    assert library.problems() == {}
    (group,) = result["groups"]
    assert group["kind"] == "exact"
    assert {image["path"] for image in group["images"]} == {"DSC_1.NEF", "two/DSC_1.NEF"}

    save(photograph(1), library.photos / "export.jpg", quality=80)
    (library.photos / "dsc_1.jpg").unlink()
    found.scan()
    groups = found.detect()["groups"]
    (group,) = (group for group in groups if any(image["path"] == "export.jpg" for image in group["images"]))
    assert group["kind"] == "possible"
    assert group["proposal"]["path"].endswith("DSC_1.NEF")


@pytest.mark.parametrize(
    ("raw_path", "image_path", "is_one"),
    [
        (b"/a/IMG_1.CR2", b"/a/IMG_1.JPG", True),
        (b"/a/IMG_1.CR2", b"/a/img_1.jpg", True),
        (b"/a/RAW/IMG_1.CR2", b"/a/IMG_1.JPG", True),
        (b"/a/IMG_1.CR2", b"/a/jpg/IMG_1.JPG", True),
        (b"/a/raw/IMG_1.dng", b"/a/JPEG/IMG_1.JPG", True),
        (b"/a/PXL_1.RAW-02.ORIGINAL.dng", b"/a/PXL_1.RAW-01.COVER.jpg", True),
        (b"/a/PXL_1.RAW-02.ORIGINAL.dng", b"/a/PXL_1.RAW-01.MP.COVER.jpg", True),
        (b"/a/PXL_1.RAW-02.ORIGINAL.dng", b"/a/PXL_2.RAW-01.COVER.jpg", False),
        (b"/a/IMG_1.CR2", b"/a/IMG_1-edit.JPG", False),
        (b"/a/IMG_1.CR2", b"/b/IMG_1.JPG", False),
        (b"/a/RAW/IMG_1.CR2", b"/b/IMG_1.JPG", False),
    ],
)
def test_what_is_of_one_shot(raw_path, image_path, is_one):
    assert of_one_shot(raw_path, image_path) is is_one
