"""EDGE: finds damage in a TIFF: pages that continue after the end of the file, and complaints of libtiff."""

import re
from typing import Any, Final

from PIL import Image

from index.imaging.decoding import decoder_messages

# Tags with the start and the length of the strips and tiles of a page (TIFF 6.0, 1992).
PLACES: Final = ((273, 279), (324, 325))
# The messages of libtiff's decoders. Its other messages concern tags.
COMPLAINT: Final = re.compile(
    r"decode|jpeglib|fax|bad code|not enough data|code not yet in table|premature", re.IGNORECASE
)
WORDS: Final = 200
PAGES_AT_MOST: Final = 1000


def complaints_of(image: Image.Image) -> str:
    """Decode the page that is open. Returns the first complaint of its decoder, "" if there is none."""
    with decoder_messages.captured() as words:
        image.load()
    for line in "".join(words).splitlines():
        if COMPLAINT.search(line):
            # The library names a file that does not exist.
            return line.removeprefix("tempfile.tif: ").strip()[:WORDS]
    return ""


def cut_off(image: Image.Image, size_bytes: int) -> str:
    """Describes a page that continues after the end of the file; "" if there is none. Afterwards the first page is open
    again."""
    try:
        pages = min(PAGES_AT_MOST, int(getattr(image, "n_frames", 1)))
        for page in range(pages):
            if pages > 1:
                image.seek(page)
            tags: Any = getattr(image, "tag_v2", {})
            if any(_end_of(tags, *place) > size_bytes for place in PLACES):
                return f"page {page + 1} is cut off"
    except (EOFError, OSError, ValueError, TypeError, KeyError, SyntaxError):
        return "a page cannot be found"
    finally:
        image.seek(0)
    return ""


def _end_of(tags: Any, starts: int, lengths: int) -> int:
    pairs = zip(tags.get(starts, ()), tags.get(lengths, ()), strict=False)
    return max((int(start) + int(length) for start, length in pairs), default=0)
