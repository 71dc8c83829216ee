"""Names and first bytes: what is examined, what is read, what never is."""

import io

import numpy as np
import pytest
from PIL import Image

from index.imaging.discovery.file_types import HEAD_BYTES, IMAGES, OTHERS, claims_image, looks_like_image, may_be_image


@pytest.mark.parametrize(
    "name", [b"a.jpg", b"A.JPG", b"b.c.Jpeg", b"\xff\n.png", b".jpg", b"x.HEIC", b"IMG.mpo", b"a.CR2"]
)
def test_names_that_claim_to_be_images(name):
    assert claims_image(name)
    assert may_be_image(name)


@pytest.mark.parametrize(
    "name",
    [b"no suffix", b"Rome. The second day", b"a.jpg~", b"a.jpg.bak", b"IMG_1.JPG_original", b"12.05.2019", b"a."],
)
def test_names_that_do_not_decide(name):
    assert not claims_image(name)
    assert may_be_image(name)


@pytest.mark.parametrize("name", [b"a.MP4", b"a.jpg.xmp", b"a.jpg.part", b"a.r3d", b"Thumbs.db", b"notes.txt"])
def test_names_of_other_things(name):
    assert not may_be_image(name)


def test_no_suffix_is_in_both_lists():
    assert not IMAGES & OTHERS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "AVIF", "MPO"])
def test_what_is_decoded_is_recognised(kind):
    target = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), 90, np.uint8)).save(target, kind)
    assert looks_like_image(target.getvalue()[:HEAD_BYTES])


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"BMW and others, a list",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"\0\0\0\x20ftypisom\0\0\0\0isomiso2",
        b"#!/bin/sh\n",
        b"%PDF-1.7",
        b"II*",
        b"\x89PNG\n",
    ],
)
def test_what_is_no_image_is_not(head):
    assert not looks_like_image(head)
