"""What a picture says of itself follows its pixels, and goes over to another format or is named as left out."""

import io
import struct
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from index.imaging.decoding import jpeg_file, png_file
from index.imaging.decoding.facts import orientation_of
from index.imaging.decoding.pictures import Limits, opened
from index.imaging.decoding.xmp_properties import read_xmp
from index.imaging.encoding import exif_block, texts, trailer, xmp_packet
from index.imaging.encoding.compression import CompressionOptions, Format
from index.imaging.encoding.trailer import Trailer
from support.pictures import ORIENTATION, photograph
from support.recompressing import AS_IT_IS, SAME, left, made, saved

LIMITS = Limits(max_pixels=50_000_000)
WEBP = CompressionOptions(**AS_IT_IS, quality=80, format=Format.WEBP)
TO_JPEG = CompressionOptions(**AS_IT_IS, quality=80, format=Format.JPEG)
HALF = CompressionOptions(width=200, height=200, quality=90)
HEAD = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
TAIL = "</rdf:RDF></x:xmpmeta>"
DUBLIN_CORE = xmp_packet.DUBLIN_CORE.decode()


def packet(attributes: str, elements: str = "") -> bytes:
    return f'{HEAD}<rdf:Description rdf:about="" {attributes}>{elements}</rdf:Description>{TAIL}'.encode()


def xmp_of(data: bytes) -> bytes:
    with opened(data, LIMITS) as image:
        found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        return found.encode() if isinstance(found, str) else bytes(found)


def iptc(*records: tuple[int, str]) -> jpeg_file.Segment:
    block = b"".join(struct.pack(">BBBH", 0x1C, 2, tag, len(text.encode())) + text.encode() for tag, text in records)
    padded = block + bytes(len(block) % 2)
    return jpeg_file.Segment(0xED, texts.PHOTOSHOP + struct.pack(">4sHHI", b"8BIM", 0x0404, 0, len(block)) + padded)


def jpeg(*segments: jpeg_file.Segment, **options: Any) -> bytes:
    data = saved(photograph(1, 400, 300), "JPEG", quality=95, **options)
    return jpeg_file.with_metadata(data, [*jpeg_file.metadata_of(data), *segments])


# XMP and the pixels


def test_the_numbers_of_a_panorama_are_scaled_with_it():
    names = (*xmp_packet.ACROSS, *xmp_packet.DOWN)
    before = packet(
        " ".join(f'{name}="{size}"' for name, size in zip(names, (800, 400, 40, 600, 300, 30), strict=True))
    )
    result, _ = made(jpeg(xmp=before), HALF)
    after = xmp_of(result.data)
    for name, size in zip(names, (400, 200, 20, 300, 150, 15), strict=True):
        assert f'{name}="{size}"'.encode() in after


def test_numbers_with_a_point_are_scaled_as_well():
    name = "GPano:FullPanoWidthPixels"
    for before in (packet(f'{name}="800.0"'), packet("", f"<{name}>800.</{name}>")):
        assert b"400<" in (after := xmp_of(made(jpeg(xmp=before), HALF)[0].data)) or f'{name}="400"'.encode() in after


def test_sizes_and_orientation_are_those_of_the_result():
    elements = "<tiff:Orientation>6</tiff:Orientation><exif:PixelXDimension>400</exif:PixelXDimension>"
    before = packet("tiff:ImageWidth='400' tiff:ImageLength=\"300\"", elements)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    result, _ = made(jpeg(xmp=before, exif=exif), HALF)
    after = xmp_of(result.data)
    assert b"<tiff:Orientation>6<" in after
    assert b"tiff:ImageWidth='200'" in after
    assert b'tiff:ImageLength="150"' in after
    assert b"<exif:PixelXDimension>200<" in after
    turned, image = made(jpeg(xmp=before, exif=exif), WEBP)
    assert image.size == (300, 400)
    assert b"<tiff:Orientation>1<" in xmp_of(turned.data)
    assert b"tiff:ImageWidth='300'" in xmp_of(turned.data)


def test_an_orientation_in_xmp_alone_turns_nothing():
    data = jpeg(xmp=packet('tiff:Orientation="6"'))
    with opened(data, LIMITS) as image:
        assert image.getexif().get(ORIENTATION) == 6, "as Pillow has it"
        assert orientation_of(image) == 1
    result, image = made(data, WEBP)
    assert image.size == (400, 300)
    with opened(result.data, LIMITS) as again:
        assert orientation_of(again) == 1
    scaled, image = made(data, HALF)
    assert image.size == (200, 150)
    assert b'tiff:Orientation="6"' in xmp_of(scaled.data)
    stripped, _ = made(data, CompressionOptions(**AS_IT_IS, quality=60, strip=True))
    with opened(stripped.data, LIMITS) as again:
        assert again.getexif().get(ORIENTATION, 1) == 1


def test_a_lossless_repacking_changes_nothing_in_it():
    before = packet('tiff:Orientation="6" tiff:ImageWidth="1"')
    assert xmp_of(made(jpeg(xmp=before), SAME)[0].data) == before


# To another format


def test_captions_keywords_and_resolution_go_over():
    data = jpeg(iptc((120, "Aunt Mary & <Bob>"), (25, "family"), (25, "été"), (80, "Me")), dpi=(300, 300))
    result, image = made(data, WEBP)
    xmp = xmp_of(result.data).decode()
    for text in ("Aunt Mary &amp; &lt;Bob&gt;", "<rdf:li>family</rdf:li>", "<rdf:li>été</rdf:li>", "Me"):
        assert text in xmp
    assert image.getexif()[exif_block.X_RESOLUTION] == 300
    assert result.notes == ()


def test_the_texts_of_a_png_go_over():
    info = PngImagePlugin.PngInfo()
    info.add_text("Description", "Grandmother 1962")
    info.add_text("Title", "Zoë", zip=True)
    info.add_itxt("Author", "Ægir", zip=True)
    data = saved(photograph(1, 400, 300), "PNG", pnginfo=info)
    result, _ = made(data, TO_JPEG)
    xmp = xmp_of(result.data).decode()
    assert all(text in xmp for text in ("Grandmother 1962", "Zoë", "Ægir"))
    assert result.notes == ()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (jpeg(iptc((90, "Rome"))), "compress.left_iptc"),
        (jpeg(iptc((120, "one thing")), comment=b"another"), "compress.left_comment"),
        (
            jpeg(iptc((120, "a caption")), xmp=packet("", "<dc:description>another</dc:description>")),
            "compress.left_iptc",
        ),
        (jpeg(iptc((120, "a caption")), xmp=packet(f'xmlns:pure="{DUBLIN_CORE}"')), "compress.left_iptc"),
        (jpeg(iptc((120, "a caption")), xmp=b"no packet"), "compress.left_iptc"),
    ],
)
def test_what_has_no_place_there_is_named(data, code):
    result, _ = made(data, WEBP)
    assert code in [note.code for note in result.notes]


def test_captions_and_keywords_go_into_the_packet_that_is_there():
    before = packet(f'xmp:Rating="4" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="{DUBLIN_CORE}"')
    before = before.replace(b'rdf:about=""', b"rdf:about='uuid:1&amp;2'")
    segments = iptc((120, "Aunt & Mary"), (25, "family"), (25, "garden"), (80, "Anna"))
    result, _ = made(jpeg(segments, xmp=before), WEBP)
    after = xmp_of(result.data)
    assert not result.notes
    assert after.startswith(before.removesuffix(TAIL.encode()))
    assert after.count(b"uuid:1&amp;2") == 2
    described = read_xmp(after)
    assert (described.rating, described.caption) == (4, "Aunt & Mary")
    assert set(described.keywords) == {"family", "garden"}


def raw_profile(name: str, block: bytes) -> tuple[str, str]:
    """A text as ImageMagick writes it: its name, the length, and the block in hexadecimal digits."""
    digits = block.hex()
    lines = [digits[start : start + 72] for start in range(0, len(digits), 72)]
    return f"Raw profile type {name}", "\n".join(["", name, f"{len(block):8}", *lines, ""])


def test_blocks_in_the_texts_of_a_png_go_over():
    exif = Image.Exif()
    exif[0x010F], exif[ORIENTATION] = "Maker", 6
    info = PngImagePlugin.PngInfo()
    for name, block in (
        ("exif", exif.tobytes()),
        ("iptc", iptc((120, "a caption"), (25, "family")).payload.removeprefix(texts.PHOTOSHOP)),
    ):
        info.add_text(*raw_profile(name, block), zip=True)
    result, image = made(saved(photograph(1, 400, 300), "PNG", pnginfo=info), WEBP)
    assert (image.size, image.getexif()[0x010F], orientation_of(image)) == ((300, 400), "Maker", 1)
    assert b"a caption" in xmp_of(result.data)
    assert b"<rdf:li>family</rdf:li>" in xmp_of(result.data)
    assert result.notes == ()


@pytest.mark.parametrize("name", ["xmp", "APP1"])
def test_xmp_in_the_texts_of_a_png_goes_over(name):
    block = packet('dc:format="x"')
    info = PngImagePlugin.PngInfo()
    info.add_text(*raw_profile(name, block if name == "xmp" else texts.XMP_NAME + block))
    result, _ = made(saved(photograph(1, 400, 300), "PNG", pnginfo=info), WEBP)
    assert xmp_of(result.data) == block


def test_a_broken_block_in_the_texts_of_a_png_is_named():
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n 4\nxyz\n")
    result, _ = made(saved(photograph(1, 400, 300), "PNG", pnginfo=info), WEBP)
    assert [note.code for note in result.notes] == ["compress.left_texts"]


@pytest.mark.parametrize(
    ("segment", "code"),
    [
        (jpeg_file.Segment(0xE1, jpeg_file.EXTENDED_XMP + b"0" * 40), "compress.left_xmp"),
        (jpeg_file.Segment(0xEB, b"JP\0\1 a manifest"), "compress.left_blocks"),
        (jpeg_file.Segment(0xEC, b"Ducky\0\1"), None),
        (jpeg_file.Segment(0xED, texts.PHOTOSHOP + b"8BIM\4\4\0\0\0\0\0\5\x1c\2\x78\x80\4\0"), "compress.left_iptc"),
    ],
)
def test_segments_that_stay_behind_are_named(segment, code):
    result, _ = made(jpeg(segment), WEBP)
    assert [note.code for note in result.notes] == ([] if code is None else [code])


def colour_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    data = saved(photograph(1, 400, 300), "PNG")
    return png_file.with_metadata(data, [png_file.Chunk(kind, payload) for kind, payload in chunks])


LINEAR, USUAL = (100_000).to_bytes(4, "big"), (45_455).to_bytes(4, "big")
WIDE = struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000)


@pytest.mark.parametrize(
    ("chunks", "codes"),
    [
        ([(b"gAMA", LINEAR)], ["compress.left_colours"]),
        ([(b"cHRM", WIDE)], ["compress.left_colours"]),
        ([(b"cICP", bytes([9, 16, 0, 1]))], ["compress.left_colours"]),
        ([(b"cICP", bytes([1, 13, 0, 1]))], []),
        ([(b"sRGB", b"\0"), (b"gAMA", LINEAR)], []),
        ([(b"gAMA", USUAL), (b"cHRM", struct.pack(">8I", *texts.USUAL_PRIMARIES))], []),
        ([(b"caBX", b"a manifest")], ["compress.left_blocks"]),
        ([(b"tIME", bytes(7))], []),
    ],
)
def test_colours_that_only_a_png_defines_are_named(chunks, codes):
    result, _ = made(colour_chunks(*chunks), TO_JPEG)
    assert [note.code for note in result.notes] == codes


@pytest.mark.parametrize(("orientation", "options", "codes"), [
    (6, WEBP, ["compress.regions_not_turned"]), (1, WEBP, []), (6, HALF, []),
])  # fmt: skip
def test_marked_faces_are_not_rotated_with_a_picture_that_is_and_this_is_noted(orientation, options, codes):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    marked = packet(f'xmlns:mwg-rs="{xmp_packet.REGIONS[0].decode()}"', "<mwg-rs:Regions/>")
    result, _ = made(jpeg(xmp=marked, exif=exif), options)
    assert [note.code for note in result.notes] == codes


def test_the_resolution_of_a_bmp_goes_over_to_its_png():
    result, image = made(saved(photograph(1, 400, 300), "BMP", dpi=(300, 150)), SAME)
    assert (result.format, [round(value) for value in image.info["dpi"]]) == ("PNG", [300, 150])


def test_a_resolution_is_kept_in_exif_or_named_and_an_assumed_one_is_nothing():
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    assert made(jpeg(exif=exif), WEBP)[0].notes == ()
    assert [note.code for note in made(jpeg(exif=exif, dpi=(300, 300)), WEBP)[0].notes] == ["compress.left_dpi"]
    exif[exif_block.X_RESOLUTION] = 300.0
    assert made(jpeg(exif=exif, dpi=(300, 300)), WEBP)[0].notes == ()


def test_no_resolution_is_made_up_with_exif():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    for options in (HALF, CompressionOptions(**AS_IT_IS, quality=60)):
        result, _ = made(jpeg(exif=exif), options)
        with opened(result.data, LIMITS) as image:
            assert (image.info["jfif_unit"], image.info["jfif_density"]) == (0, (1, 1))
    exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 300.0, 2
    result, _ = made(jpeg(exif=exif), HALF)
    with opened(result.data, LIMITS) as image:
        assert image.info["dpi"] == (300, 300)


def test_what_xmp_says_already_is_not_named():
    caption = packet(
        "", '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">a caption</rdf:li></rdf:Alt></dc:description>'
    )
    assert made(jpeg(iptc((120, "a caption")), xmp=caption), WEBP)[0].notes == ()


def test_an_unknown_text_of_a_png_is_named():
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a prompt")
    result, _ = made(saved(photograph(1, 400, 300), "PNG", pnginfo=info), TO_JPEG)
    assert [note.code for note in result.notes] == ["compress.left_texts"]


def test_exif_that_no_jpeg_holds_is_a_sentence():
    exif = Image.Exif()
    exif[0x010F] = "x" * 70_000
    data = saved(photograph(1, 400, 300), "PNG", exif=exif)
    refused = left(data, TO_JPEG)
    assert (refused.refused, refused.reason) == (True, "metadata")
    assert "EXIF" in str(refused.message)
    made(data, CompressionOptions(**AS_IT_IS, quality=80, format=Format.JPEG, strip=True))


@pytest.mark.parametrize("payload", [b"", b"8BIM", b"8BIM\x04\x04\0\0\xff\xff\xff\xff\x1c\x02", b"\x1c" * 40])
def test_broken_iptc_is_nothing(payload):
    segment = jpeg_file.Segment(0xED, texts.PHOTOSHOP + payload)
    assert texts.texts_of("JPEG", jpeg(segment)).named == {}


# Behind the picture


def samsung(*entries: bytes) -> bytes:
    """A trailer as Samsung's telephones write it, by the published layout."""
    body = b"".join(entries)
    directory = b"SEFH" + struct.pack("<II", 0x6A, len(entries))
    behind = len(body)
    for entry in entries:
        directory += struct.pack("<HHII", 0, 0x0A01, behind, len(entry))
        behind -= len(entry)
    return body + directory + struct.pack("<I", len(directory)) + b"SEFT"


TIME = b"\0\0\x01\x0a" + struct.pack("<I", 14) + b"Image_UTC_Data1563096153000"
FILM = b"\0\0\x30\x0a" + struct.pack("<I", 16) + b"MotionPhoto_Data" + bytes(500)


@pytest.mark.parametrize(
    ("behind", "kind"),
    [
        (b"", Trailer.NONE), (bytes(9), Trailer.FILLING), (samsung(TIME), Trailer.SAMSUNG),
        (samsung(TIME, FILM), Trailer.SAMSUNG_FILM), (b"\xff\xff\xff", Trailer.STRAY), (b"x" * 64, Trailer.STRAY),
        (b"x" * 65, Trailer.OTHER), (b"PK\3\4", Trailer.OTHER), (b"more" + samsung(TIME * 9), Trailer.OTHER),
        (samsung(TIME * 9)[1:], Trailer.OTHER), (samsung(TIME * 9)[:-1], Trailer.OTHER),
    ],
)  # fmt: skip
def test_what_is_behind_a_picture(behind, kind):
    assert trailer.kind_of(behind) is kind


@pytest.mark.parametrize("behind", [samsung(TIME), samsung(TIME, FILM), b"\xff\xff\xff", b"rubbish of a card"])
@pytest.mark.parametrize("options", [SAME, HALF])
def test_it_is_copied_behind_the_result_byte_for_byte(behind, options):
    result, _ = made(jpeg() + behind, options)
    assert result.data[jpeg_file.end_of_picture(result.data) :] == behind
    assert result.notes == ()


@pytest.mark.parametrize("options", [WEBP, CompressionOptions(**AS_IT_IS, quality=60, strip=True)])
def test_where_it_cannot_be_it_is_named_and_a_film_is_never_dropped(options):
    for behind, code in ((samsung(TIME), "compress.samsung_dropped"), (b"\xff\xff\xff", "compress.stray_dropped")):
        result, _ = made(jpeg() + behind, options)
        assert [note.code for note in result.notes] == [code]
        assert behind not in result.data[-len(behind) :]
    assert left(jpeg() + samsung(TIME, FILM), options).reason == "more_in_file"


def test_a_resolution_block_is_read_by_others():
    data = io.BytesIO()
    photograph(1, 64, 64).save(data, "WEBP", exif=exif_block.of_resolution((96, 72.5)))
    with Image.open(data) as image:
        exif = image.getexif()
        assert (exif[0x011A], exif[0x011B], exif[0x0128]) == (96, 72.5, 2)
    assert exif_block.has_resolution(exif_block.of_resolution((96, 96)))
    assert not exif_block.has_resolution(exif_block.of_orientation(6))
    assert not exif_block.has_resolution(b"Exif\0\0II*\0")
