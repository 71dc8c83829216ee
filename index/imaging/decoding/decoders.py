"""EDGE: determines which formats can be decoded here, by Pillow and by the decoders added to it.

A decoder is imported only in processes that open pictures, which are worker processes. All other code only checks, by
the metadata of its package, whether it is installed.
"""

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import util
from typing import Any, Final

from PIL import Image, ImageFile, PngImagePlugin

from index.imaging.decoding.jxl_file import is_jxl
from index.messages import Message

log = logging.getLogger(__name__)

# Pillow is given these names (JPEG opens MPO as well), so that a file called .jpg cannot reach decoders that start
# other programs (EPS) or read other files.
FORMATS: Final = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "AVIF", "JPEG2000", "PSD", "PPM")
# Opened only if recognised before, and then as this format only: Pillow would accept nearly any bytes as a TGA.
UNMARKED: Final = ("TGA",)

# The limit for uncompressed text in a PNG. Pillow's own limit of 1 MB fails on pictures whose program stored how it
# made them.
PNG_TEXT_BYTES: Final = 16 * 2**20


# Increased when the code here, without other decoders, can read more (previews of RAW files, kinds that are
# distinguished from damage).
OWN: Final = 3


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decoder in a package of its own: the format it reads, its module, and the name of its package."""

    format: str
    module: str
    package: str
    register: Callable[[Any], None]


def _register_heif(module: Any) -> None:
    # One thread, as for all decoders: parallelism comes from the processes.
    module.options.DECODE_THREADS = 1
    module.register_heif_opener()


def _register_jxl(module: Any) -> None:
    # The import itself registers the plugin.
    module.JpegXLImagePlugin.DECODE_THREADS = 0


HEIF: Final = Decoder("HEIF", "pi_heif", "pi-heif-decoder", _register_heif)
# Installed by the user, if wanted (docs/dependencies.md).
JXL: Final = Decoder("JXL", "pillow_jxl", "pillow-jxl-plugin", _register_jxl)
ADDED: Final = (HEIF, JXL)


@cache
def formats() -> tuple[str, ...]:
    """The names of the formats that Pillow may open, after registering every installed decoder. For worker
    processes."""
    own = own_formats()
    return (*own, *(decoder.format for decoder in ADDED if is_installed(decoder) and _is_loaded(decoder)))


@cache
def own_formats() -> tuple[str, ...]:
    """Those of Pillow itself: a process that only comes to these need not load the others."""
    # Our own limit is checked instead. Pillow's would refuse panoramas that ours allows.
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = PNG_TEXT_BYTES
    return FORMATS


def _is_loaded(decoder: Decoder) -> bool:
    """Import and register a decoder. One that fails, because of a missing system library or another version, is treated
    as not installed: no other format depends on it."""
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
    """The version of libheif, "?" if its module does not give it or cannot be loaded. Loads the decoder of HEIF."""
    if HEIF.format not in formats():
        return "?"
    return str(getattr(importlib.import_module(HEIF.module), "libheif_version", lambda: "?")())


def decoder_set(_: object = None) -> str:
    """The decoders with their versions, and which of them cannot be loaded, as one line. Files that failed under
    another set may be readable under this one. For worker processes."""
    lines = [f"pillow {_version('pillow')}"]
    for decoder in filter(is_installed, ADDED):
        state = "" if decoder.format in formats() else " not loaded"
        lines.append(f"{decoder.package} {_version(decoder.package)}{state}")
    return ", ".join([*lines, f"own {OWN}"])


def missing_for(head: bytes) -> Message | None:
    """Why a file with these first HEAD_BYTES bytes is not decoded although it may be intact: the decoder of its format
    is not installed, or cannot be loaded. None if that is not the reason."""
    for decoder, name, is_one in ((HEIF, "HEIC", is_heif), (JXL, "JPEG XL", is_jxl)):
        if is_one(head) and decoder.format not in formats():
            code = "picture.decoder_not_loaded" if is_installed(decoder) else "picture.no_decoder"
            return Message(code, format=name, package=decoder.package)
    return None


def is_heif(head: bytes) -> bool:
    """Whether a file begins like a HEIF picture other than AVIF, which Pillow decodes itself."""
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, len(head) - 3, 4))}
    return head[4:8] == b"ftyp" and bool(brands & HEIF_BRANDS) and not brands & AVIF_BRANDS


HEIF_BRANDS: Final = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1 mif2 miaf".split())
AVIF_BRANDS: Final = frozenset(b"avif avis".split())


def _version(package: str) -> str:
    # It takes as long to import as many pictures to decode, and most processes never need it.
    from importlib import metadata  # noqa: PLC0415

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        # The decoder was not installed as this package; it may belong to the system.
        return "?"
