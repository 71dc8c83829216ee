"""Compression against plain Pillow, jpegoptim, cjpegli, pngquant and oxipng: bytes and score, at equal score too.

    python -m bench.compress [DIR...]     (or PHOTOS="DIR..." make bench-compress)

Without a folder, photographs and charts are made first. Of each folder at most 30 pictures are taken, or MOST, evenly
spread, and none is scaled. The score is SSIMULACRA 2 beside the file as it is, computed here by ours for all of them
(tests hold it to another implementation). "At equal score" gives each program the least quality at which it scores what
plain Pillow does at quality 85; of 256 colours, the fewest with which it scores what the worse of both does. Bytes are
printed beside those of the files as they are, and processor seconds for each megapixel. Below each table stands what
ours is beside the others, picture by picture: geometric mean, and the most. A program
that is not installed is named as such.
"""

import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import oxipng
from PIL import Image, ImageDraw, ImageOps

from bench.decode import make_pictures
from index.imaging.decoding.pictures import Limits, opened
from index.imaging.encoding import encoders, quality_search, ssimulacra2
from index.imaging.encoding.compression import CompressionOptions, Format, Target
from index.imaging.encoding.recompress import Recompressed, recompress

MOST = int(os.environ.get("MOST", "30"))
QUALITY = 85
UNSCALED = CompressionOptions(width=65_535, height=65_535, least_gain=0.0)


@dataclass
class Sums:
    """What one program made of some pictures."""

    files: int = 0
    before: int = 0
    after: int = 0
    scores: list[float] = field(default_factory=list)
    spent_s: float = 0.0
    megapixels: float = 0.0
    sizes: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Picture:
    """A file, what it shows, and what plain Pillow at the one quality scores on it."""

    path: Path
    data: bytes
    pixels: np.ndarray
    format: str


Maker = Callable[[Picture], bytes | None]


def spent_s() -> float:
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def pixels_of(data: bytes) -> np.ndarray:
    with opened(data, Limits()) as image:
        image.load()
        lowest: Any = image.convert("RGBA").getchannel("A").getextrema()[0] if image.has_transparency_data else 255
        clear = lowest < 255
        upright = ImageOps.exif_transpose(image)
        return np.asarray(upright.convert("RGBA" if clear else "RGB"))


def saved(pixels: np.ndarray, picture_format: str, **options: object) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, picture_format, **options)
    return target.getvalue()


def through(command: list[str], picture: Picture) -> bytes | None:
    """What a program writes of a file; None where there is no such program, or it gives up."""
    if shutil.which(command[0]) is None:
        return None
    ended = subprocess.run([*command, str(picture.path)], capture_output=True, check=False)
    return ended.stdout or None


def jpegoptim(picture: Picture, *options: str) -> bytes | None:
    return through(["jpegoptim", *options, "--stdout", "-q"], picture)


def plain(picture: Picture) -> bytes:
    return saved(picture.pixels[:, :, :3], "JPEG", quality=QUALITY)


def least(picture: Picture, make: Callable[[int], bytes | None], aim: float, highest: int = 100) -> bytes | None:
    """The smallest that a program makes at a score, by bisection over its quality."""
    low, best = 1, None
    while low <= highest:
        middle = (low + highest) // 2
        made = make(middle)
        if made is None:
            return best
        if ssimulacra2.score(picture.pixels, pixels_of(made)) >= aim:
            best, highest = made, middle - 1
        else:
            low = middle + 1
    return best


def aim_of(picture: Picture) -> float:
    return ssimulacra2.score(picture.pixels[:, :, :3], pixels_of(plain(picture)))


def ours(options: CompressionOptions) -> Maker:
    def make(picture: Picture) -> bytes | None:
        result = recompress(picture.data, options, Limits())
        return result.data if isinstance(result, Recompressed) else None

    return make


def oxipng_of(picture: Picture, level: int) -> bytes:
    """What oxipng makes of a file; its library does what the program does."""
    made = through(["oxipng", f"-o{level}", "--stdout", "-q"], picture)
    return made or bytes(oxipng.optimize_from_memory(picture.data, level=level))


def cjpegli(picture: Picture, quality: int) -> bytes | None:
    """Of the pixels, since it takes no file that it would have to turn; by its library where the program is not
    installed."""
    if shutil.which("cjpegli") is None:
        return encoders.encode_by_jpegli(Image.fromarray(picture.pixels[:, :, :3]), quality)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.png", Path(folder) / "a.jpg"
        source.write_bytes(saved(picture.pixels[:, :, :3], "PNG", compress_level=1))
        command = ["cjpegli", str(source), str(target), "-q", str(quality), "--chroma_subsampling=420"]
        subprocess.run(command, capture_output=True, check=False)
        return target.read_bytes() if target.exists() else None


def pngquant(picture: Picture, colours: int = 256) -> bytes | None:
    return None if colours < 2 else through(["pngquant", "--output", "-", str(colours)], picture)


def in_colours(picture: Picture, colours: int = 256) -> bytes | None:
    return ours(replace(UNSCALED, colours=colours))(picture)


def fewest(make: Callable[[Picture, int], bytes | None]) -> Maker:
    """What a program makes with the fewest colours that score what pngquant and ours both do with 256."""

    def made(picture: Picture) -> bytes | None:
        both = [pngquant(picture), in_colours(picture)]
        if None in both:
            return None
        aim = min(ssimulacra2.score(picture.pixels, pixels_of(one)) for one in both if one is not None)
        return least(picture, lambda colours: make(picture, colours), aim, 256)

    return made


PACKED = ours(UNSCALED)


def ours_at(picture: Picture) -> bytes | None:
    """Our encoders and our search, at the score of plain Pillow, as a search does it: the smallest of
    these and of the file's own coefficients."""
    image = Image.fromarray(picture.pixels[:, :, :3])
    part = Image.fromarray(quality_search.mosaic(np.asarray(image)))
    aim, made = aim_of(picture), [packed for packed in [PACKED(picture)] if packed is not None]
    for code in (lambda pixels, q: encoders.encode(pixels, "JPEG", q, "4:2:0"), encoders.encode_by_jpegli):

        def score(pixels: Image.Image, quality: int, code: Callable[..., bytes] = code) -> float:
            return ssimulacra2.score(np.asarray(pixels), pixels_of(code(pixels, quality)))

        quality = quality_search.least_quality(partial(score, part), partial(score, image), aim)
        if quality is not None:
            made.append(encoders.repacked_jpeg(code(image, quality)))
    return min(made, key=len, default=None)


OF_JPEG: dict[str, Maker] = {
    f"plain Pillow, quality {QUALITY}": plain,
    f"jpegoptim -m{QUALITY}": lambda p: jpegoptim(p, f"-m{QUALITY}"),
    "at equal score: plain Pillow": plain,
    "at equal score: jpegoptim": lambda p: least(p, lambda q: jpegoptim(p, f"-m{q}"), aim_of(p)),
    "at equal score: cjpegli": lambda p: least(p, lambda q: cjpegli(p, q), aim_of(p)),
    "at equal score: ComparImg": ours_at,
    "every pixel equal: jpegoptim": jpegoptim,
    "every pixel equal: ComparImg -c 100": ours(UNSCALED),
    **{f"ComparImg --target {target}": ours(replace(UNSCALED, target=target)) for target in Target},
    **{
        f"ComparImg --target high --format {one}": ours(replace(UNSCALED, target=Target.HIGH, format=one))
        for one in (Format.WEBP, Format.AVIF)
    },
}
OF_PNG: dict[str, Maker] = {
    "every pixel equal: Pillow, optimize": lambda p: saved(p.pixels, "PNG", optimize=True),
    "every pixel equal: oxipng -o2": lambda p: oxipng_of(p, 2),
    "every pixel equal: oxipng -o4": lambda p: oxipng_of(p, 4),
    "every pixel equal: ComparImg": ours(UNSCALED),
    "256 colours: pngquant": pngquant,
    "256 colours: ComparImg --colours 256": in_colours,
    "fewest colours at equal score: pngquant": fewest(pngquant),
    "fewest colours at equal score: ComparImg --colours": fewest(in_colours),
    "ComparImg --target high --format webp": ours(replace(UNSCALED, target=Target.HIGH, format=Format.WEBP)),
}


def measure(name: str, pictures: list[Picture], makers: dict[str, Maker]) -> None:
    table: dict[str, Sums] = defaultdict(Sums)
    for picture in pictures:
        for way, make in makers.items():
            started_s = spent_s()
            made = make(picture)
            sums = table[way]
            sums.spent_s += spent_s() - started_s
            sums.megapixels += picture.pixels.shape[0] * picture.pixels.shape[1] / 1e6
            # What cannot be made smaller is left as it is, as a person would.
            kept = picture.data if made is None or len(made) > len(picture.data) else made
            sums.files += made is not None
            sums.before += len(picture.data)
            sums.after += len(kept)
            sums.sizes.append(len(kept))
            sums.scores.append(ssimulacra2.score(picture.pixels, pixels_of(kept)))
    size = sum(picture.pixels.shape[0] * picture.pixels.shape[1] for picture in pictures) / 1e6
    total = sum(len(picture.data) for picture in pictures)
    print(f"\n{name}: {len(pictures)} files, {size:.0f} megapixels, {total / 1e6:.1f} MB\n")
    print("| | bytes | score: mean | least | s/MP |\n|---|---:|---:|---:|---:|", flush=True)
    for way, sums in table.items():
        if sums.files:
            print(f"| {way} | {sums.after / sums.before:.1%} | {np.mean(sums.scores):.1f} | {min(sums.scores):.1f} "
                  f"| {sums.spent_s / sums.megapixels:.2f} |")  # fmt: skip
        else:
            print(f"| {way} | not installed | | | |")
    print()
    for way, sums in table.items():
        kind, _, program = way.partition(": ")
        own = next((name for name in table if name.startswith(f"{kind}: ComparImg")), None)
        if own is not None and "ComparImg" not in program and sums.files:
            ratios = np.array(table[own].sizes) / np.array(sums.sizes)
            mean = np.exp(np.log(ratios).mean())
            print(f"{kind}: ComparImg takes {mean:.1%} of {program} (geometric mean), {ratios.max():.1%} at most")


def pictures_in(folder: Path, formats: tuple[str, ...]) -> Iterator[Picture]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    taken = []
    for file in files:
        data = file.read_bytes()
        try:
            with opened(data, Limits()) as image:
                is_taken = image.format in formats and image.mode in ("RGB", "RGBA") and min(image.size) >= 64
        except Exception:  # noqa: BLE001 - what is no picture is not measured
            continue
        if is_taken:
            taken.append((file, data))
    step = max(1, len(taken) // MOST)
    for file, data in taken[::step][:MOST]:
        yield Picture(file, data, pixels_of(data), formats[0])


def make_charts(folder: Path) -> None:
    """What screens show: flat areas, lines, letters."""
    folder.mkdir()
    for number in range(4):
        random = np.random.default_rng(number)
        chart = Image.new("RGB", (1000, 700), "white")
        draw = ImageDraw.Draw(chart)
        for _ in range(60):
            x, y, across = (int(value) for value in random.integers(0, 700, 3))
            colour = tuple(int(value) for value in random.integers(0, 256, 3))
            draw.rectangle((x, y, x + across // 3, y + 40), outline=colour)
            draw.text((x + 4, y + 4), "ComparImg keeps what you see", fill=colour)
        chart.save(folder / f"{number}.png")


def main(folders: list[str]) -> None:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as made:
        if not folders:
            make_pictures(Path(made) / "photographs", 4, (1600, 1200))
            make_charts(Path(made) / "charts")
            folders = [f"{made}/photographs", f"{made}/charts"]
        for folder in map(Path, folders):
            for kind, formats, makers in (("JPEG", ("JPEG", "MPO"), OF_JPEG), ("PNG", ("PNG",), OF_PNG)):
                pictures = list(pictures_in(folder, formats))
                if pictures:
                    measure(f"{folder.name}, {kind}", pictures, makers)


if __name__ == "__main__":
    os.nice(5)
    main(sys.argv[1:] or os.environ.get("PHOTOS", "").split())
