"""EDGE: which formats can be decoded here, by Pillow and by the decoders that are added to it.

A decoder is imported where pictures are opened, that is in worker processes. Everything else asks only whether it is
installed, by the metadata of its package.
"""

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from typing import Any, Final

from PIL import Image, ImageFile, PngImagePlugin

from index.imaging.decoding.jxl_file import is_jxl
from index.messages import Message

log = logging.getLogger(__name__)

# Named (JPEG opens MPO as well), so that a file called .jpg cannot reach the decoders that start other programs (EPS)
# or read other files.
FORMATS: Final = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "AVIF", "JPEG2000", "PSD", "PPM")
# Opened alone, and only what was recognised before: Pillow would take nearly anything for one.
UNMARKED: Final = ("TGA",)

# Of text in a PNG, unpacked. Pillow's own limit of 1 MB fails on pictures whose maker wrote down how it was made.
PNG_TEXT_BYTES: Final = 16 * 2**20


# Raised where what is read here without a decoder of others reads more (previews of RAW files, kinds that are set
# apart from damage).
OWN: Final = 1


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decoder that is a package of its own: what it reads, its module, and the name by which it is installed."""

    format: str
    module: str
    package: str
    register: Callable[[Any], None]


def _register_heif(module: Any) -> None:
    # One thread, as for all decoders: the processes are the parallelism.
    module.options.DECODE_THREADS = 1
    module.register_heif_opener()


def _register_jxl(module: Any) -> None:
    # Importing it registers it.
    module.JpegXLImagePlugin.DECODE_THREADS = 0


HEIF: Final = Decoder("HEIF", "pi_heif", "pi-heif-decoder", _register_heif)
# Brought by the user, if wanted (docs/dependencies.md).
JXL: Final = Decoder("JXL", "pillow_jxl", "pillow-jxl-plugin", _register_jxl)
ADDED: Final = (HEIF, JXL)


@cache
def formats() -> tuple[str, ...]:
    """The names of the formats that Pillow may open, every installed decoder registered. For worker processes."""
    # Our own limit is checked instead; Pillow's would refuse the panoramas that ours lets through.
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = PNG_TEXT_BYTES
    return (*FORMATS, *(decoder.format for decoder in ADDED if is_installed(decoder) and _is_loaded(decoder)))


def _is_loaded(decoder: Decoder) -> bool:
    """Import and register a decoder. One that cannot be, for want of a library of the system or in another version,
    is as one that is not installed: no other format depends on it."""
    try:
        decoder.register(importlib.import_module(decoder.module))
    except Exception as error:  # noqa: BLE001 - what a module raises while it is imported can be anything
        log.warning("%s cannot be loaded: %s", decoder.package, error)
        return False
    return True


def is_installed(decoder: Decoder) -> bool:
    """Whether the module of a decoder can be found; it is not imported."""
    return util.find_spec(decoder.module) is not None


def heif_library_version() -> str:
    """The version of libheif, "?" where its module does not say or cannot be loaded. Loads the decoder of HEIF."""
    if HEIF.format not in formats():
        return "?"
    return str(getattr(importlib.import_module(HEIF.module), "libheif_version", lambda: "?")())


def decoder_set(_: object = None) -> str:
    """The decoders with their versions, and which of them cannot be loaded, as one line: what failed under another set
    may be readable under this one. For worker processes."""
    lines = [f"pillow {_version('pillow')}"]
    for decoder in filter(is_installed, ADDED):
        state = "" if decoder.format in formats() else " not loaded"
        lines.append(f"{decoder.package} {_version(decoder.package)}{state}")
    return ", ".join([*lines, f"own {OWN}"])


def missing_for(head: bytes) -> Message | None:
    """Why a file that begins with these HEAD_BYTES bytes is not decoded although it may be sound: the decoder of its
    format is not installed, or cannot be loaded. None if that is not the reason."""
    for decoder, name, is_one in ((HEIF, "HEIC", is_heif), (JXL, "JPEG XL", is_jxl)):
        if is_one(head) and decoder.format not in formats():
            code = "picture.decoder_not_loaded" if is_installed(decoder) else "picture.no_decoder"
            return Message(code, format=name, package=decoder.package)
    return None


def is_heif(head: bytes) -> bool:
    """Whether a file begins as HEIF with a picture other than AVIF, which Pillow decodes itself."""
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, len(head) - 3, 4))}
    return head[4:8] == b"ftyp" and bool(brands & HEIF_BRANDS) and not brands & AVIF_BRANDS


HEIF_BRANDS: Final = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1 mif2 miaf".split())
AVIF_BRANDS: Final = frozenset(b"avif avis".split())


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        # A decoder that was not installed by its package, such as one of the system.
        return "?"
