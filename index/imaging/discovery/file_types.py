"""PURE: determines whether a file may be an image, by its name or, if that is inconclusive, by its first bytes.

A file with the ending of an image counts as an image until it has been read. A file with the ending of another
well-known format is never opened, which avoids reading every film on the disk. Any other file is an image if its first
bytes say so.
"""

from collections.abc import Mapping
from typing import Final

IMAGES: Final = frozenset(
    b"jpg jpeg jpe jfif jfi jif mpo png apng bmp dib gif webp tif tiff avif avifs heic heics heif heifs hif jxl "
    b"jp2 j2k j2c jpc jpx jpf jph jhc psd tga ppm pgm pbm pnm".split()
)

# Camera RAW files that are indexed through their embedded preview, and those in which no preview is searched for.
READ_RAW: Final = frozenset(
    b"3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos nef nrw orf pef raf rw2 rwl srw".split()
)
RAW: Final = READ_RAW | frozenset(
    b"ari bay braw cap dcs drf eip gpr k25 mdc mrw obm ptx pxn r3d raw rwz sr2 srf x3f".split()
)
# The kinds of files that are not read, by ending. They are counted by these kinds (see kind_of_skipped).
SKIPPED: Final = {
    "raw": RAW - READ_RAW,
    "picture": frozenset(
        b"psb xcf kra afphoto ora clip procreate sai mdp psp pspimage svg svgz eps ai ps pdf djvu djv wmf emf "
        b"ico icns cur pcx exr hdr jxr wdp hdp qoi dds ktx ktx2 sgi ras xbm xpm wbmp pam pfm flif bpg iff lbm "
        b"pict pct cin dpx miff fits fts dcm".split()
    ),
    "film": frozenset(
        b"mp4 m4v mov avi mkv webm mpg mpeg mts m2ts ts vob wmv flv f4v 3gp 3g2 ogv insv lrv asf rm rmvb".split()
    ),
    "sidecar": frozenset(b"xmp aae thm pp3 dop lrcat lrdata lrprev cos nksc on1 arp acr vrd dr4 mie".split()),
}
OTHERS: Final = frozenset().union(*SKIPPED.values()) | frozenset(
    b"xml json yaml yml toml ini cfg conf properties "
    # Sound
    b"mp3 m4a m4b aac flac wav ogg oga opus wma aif aiff ape mid midi amr cue m3u m3u8 pls srt sub idx vtt "
    # Writing, tables, books, mail
    b"txt md rst rtf tex doc docx dot odt ods odp odg xls xlsx xlsm ppt pptx pps csv tsv epub mobi azw azw3 chm "
    b"eml msg mbox pst ics vcf html htm xhtml mht css log bib key pages numbers one "
    # Archives, disks, data
    b"zip rar 7z tar gz tgz bz2 xz zst lz lz4 cab iso img dmg vdi vmdk vhd vhdx qcow2 ova wim gho tib bkf par2 "
    b"db db3 sqlite sqlite3 sqlite-wal sqlite-shm mdb accdb dbf parquet npy npz h5 hdf5 mat pkl bin pak "
    # Programs and code
    b"exe dll so dylib o a lib sys msi deb rpm apk appimage jar war class pyc pyo pyd py pyi ipynb js mjs jsx tsx c h "
    b"cc cpp hpp cs go rs java kt swift rb php pl lua r sh bash zsh bat cmd ps1 vbs sql wasm map lock patch diff "
    b"ttf otf woff woff2 eot lnk url desktop torrent nfo sfv md5 sha1 sha256 asc sig gpg pem crt cer "
    # Unfinished files, whose name changes when they are complete
    b"part partial crdownload download filepart tmp temp swp opdownload aria2 !ut bc! syncthing".split()
)

HEAD_BYTES: Final = 32
# ISO base media files that hold pictures: AVIF and HEIF.
_BRANDS: Final = frozenset(b"avif avis heic heix heim heis hevc hevx mif1 msf1 mif2 miaf".split()) | {b"crx "}
# The sizes of the second header of a BMP. "BM" alone also begins many texts.
_BMP_HEADERS: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


def claims_image(name: bytes) -> bool:
    """Whether a file name has an ending of images, including RAW files."""
    ending = name.rpartition(b".")[2].lower()
    return (ending in IMAGES or ending in READ_RAW) and b"." in name


def may_be_image(name: bytes) -> bool:
    """Whether a file with this name is opened at all."""
    stem, _, suffix = name.rpartition(b".")
    return not stem or suffix.lower() not in OTHERS


def ending_of_skipped(name: bytes) -> str:
    """The ending because of which a file with this name is not opened, in lower case."""
    return name.rpartition(b".")[2].lower().decode("ascii", "replace")


def kind_of_skipped(ending: str) -> str:
    """The kind of files with this ending: a key of SKIPPED, or "other"."""
    return next((kind for kind, endings in SKIPPED.items() if ending.encode() in endings), "other")


def by_kind(skipped: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Numbers of files by ending, grouped by kind. The kinds have the order of SKIPPED, with "other" last; the endings
    are sorted."""
    parted: dict[str, dict[str, int]] = {}
    for kind in (*SKIPPED, "other"):
        if endings := {name: skipped[name] for name in sorted(skipped) if kind_of_skipped(name) == kind}:
            parted[kind] = endings
    return parted


def looks_like_image(head: bytes) -> bool:
    """Whether the first HEAD_BYTES bytes of a file are those of a format that is decoded here."""
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")):
        return True
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"8BPS\0", b"FUJIFILMCCD-RAW")):
        return True
    if head.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return True
    if head.startswith((b"IIRO", b"IIRS", b"MMOR", b"IIU\0")) or head[6:14] == b"HEAPCCDR":
        return True
    if head.startswith(b"BM"):
        return int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    if head.startswith(b"RIFF"):
        return head[8:12] == b"WEBP"
    if head.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")):
        return True
    return head[4:8] == b"ftyp" and (head[8:12] in _BRANDS or head[16:20] in _BRANDS or head[20:24] in _BRANDS)
