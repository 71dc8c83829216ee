"""PURE: whether a file may be an image, by its name and, where the name does not tell, by its first bytes.

A name that claims to be an image is believed until its content was read; a name that claims to be something else well
known is never opened, which spares reading every film on the disk; any other is an image where its first bytes say so.
"""

from typing import Final

IMAGES: Final = frozenset(
    b"jpg jpeg jpe jfif jfi jif mpo png apng bmp dib gif webp tif tiff avif avifs heic heics heif heifs hif".split()
)

# Camera RAW are TIFF by their first bytes, with a preview that would be taken for the picture: never an image here.
RAW: Final = frozenset(
    b"3fr ari arw bay braw cr2 cr3 crw cap dcr dcs dng drf eip erf fff gpr iiq k25 kdc mdc mef mos mrw nef nrw "
    b"obm orf pef ptx pxn r3d raf raw rw2 rwl rwz sr2 srf srw x3f".split()
)
OTHERS: Final = RAW | frozenset(
    # Sidecars and catalogues of photo tools
    b"xmp aae thm pp3 dop lrcat lrdata lrprev cos nksc on1 arp xml json yaml yml toml ini cfg conf properties "
    # Pictures that no decoder here reads
    b"psd psb xcf kra afphoto svg svgz eps ai ps pdf djvu jxl jp2 j2k jpx ico icns cur tga pcx ppm pgm pbm exr hdr "
    # Films and sound
    b"mp4 m4v mov avi mkv webm mpg mpeg mts m2ts ts vob wmv flv f4v 3gp 3g2 ogv insv lrv asf rm rmvb "
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
    # Still being written: the name changes when it is whole
    b"part partial crdownload download filepart tmp temp swp opdownload aria2 !ut bc! syncthing".split()
)

HEAD_BYTES: Final = 32
# ISO base media files that hold pictures: AVIF and HEIF.
_BRANDS: Final = frozenset(b"avif avis heic heix heim heis hevc hevx mif1 msf1 mif2 miaf".split())
# What a BMP names as the size of its second header; "BM" alone begins many a text.
_BMP_HEADERS: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


def claims_image(name: bytes) -> bool:
    """Whether a file name ends as those of images do."""
    return name.rpartition(b".")[2].lower() in IMAGES and b"." in name


def may_be_image(name: bytes) -> bool:
    """Whether a file of this name is looked at at all."""
    stem, _, suffix = name.rpartition(b".")
    return not stem or suffix.lower() not in OTHERS


def looks_like_image(head: bytes) -> bool:
    """Whether the first HEAD_BYTES bytes of a file are those of a format that is decoded here."""
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")):
        return True
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return True
    if head.startswith(b"BM"):
        return int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    if head.startswith(b"RIFF"):
        return head[8:12] == b"WEBP"
    return head[4:8] == b"ftyp" and (head[8:12] in _BRANDS or head[16:20] in _BRANDS or head[20:24] in _BRANDS)
