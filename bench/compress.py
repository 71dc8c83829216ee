"""Compression against plain Pillow, jpegoptim, cjpegli, pngquant and oxipng: bytes and score, at equal score too.

    python -m bench.compress [DIR...]     (or PHOTOS="DIR..." make bench-compress)

Without a folder, photographs and charts are made first. Of each folder at most 30 pictures are taken, or MOST, evenly
spread, and none is scaled; those of more than 4 megapixels are left out, or of more than MEGAPIXELS. The score is
SSIMULACRA 2 compared with the file as it is, computed here by ours for all of them (tests hold it to another
implementation), and once for equal bytes. "At equal score" gives each program the least quality at which it scores what
plain Pillow does at quality 85, found from the quality that the picture before it needed; of 256 colours, the fewest
with which it scores what the worse of both does, without metadata. Bytes are printed with those of the files as they
are, and processor seconds for each megapixel, which hold each score once. Below each table, ours is compared with the
others, picture by picture: geometric mean, and the maximum with its file. With TARGETS=1 the results of `--target` are
measured, too, which takes most of the time. A program that is not installed is named as such. RESULTS=FILE keeps each
measurement there as a line of JSON, and a second run goes on after the last one; delete it when an encoder has changed.
"""

import hashlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import oxipng
from PIL import Image, ImageDraw, ImageOps

from bench.decode import make_pictures
from index.imaging.decoding import png_file
from index.imaging.decoding.pictures import Limits, opened
from index.imaging.encoding import encoders, palette, quality_search, ssimulacra2
from index.imaging.encoding.compression import CompressionOptions, Format, Target
from index.imaging.encoding.recompress import Recompressed, recompress

MOST = int(os.environ.get("MOST", "30"))
MEGAPIXELS = float(os.environ.get("MEGAPIXELS", "4"))
WITH_TARGETS = os.environ.get("TARGETS") == "1"
RESULTS = os.environ.get("RESULTS")
QUALITY = 85
MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}
UNSCALED = CompressionOptions(width=65_535, height=65_535, least_gain=0.0)


@dataclass(frozen=True)
class Outcome:
    """What one program made of one picture: bytes and score, those of the file where the result is larger; processor
    seconds; whether there was a result."""

    size: int
    score: float
    spent_s: float
    is_made: bool


@dataclass(frozen=True)
class Picture:
    """A file, its pixels, and the scores of its results, by digest."""

    path: Path
    data: bytes
    pixels: np.ndarray
    format: str
    scores: dict[bytes, float] = field(default_factory=dict)

    def score(self, made: bytes) -> float:
        digest = hashlib.sha256(made).digest()
        if digest not in self.scores:
            self.scores[digest] = ssimulacra2.score(self.pixels, pixels_of(made, self.pixels))
        return self.scores[digest]


Maker = Callable[[Picture], bytes | None]


def spent_s() -> float:
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def pixels_of(data: bytes, like: np.ndarray | None = None) -> np.ndarray:
    """Upright, in grey, colours, or colours with opacity where some of it is transparent; or as another is."""
    with opened(data, Limits()) as image:
        image.load()
        if like is not None:
            mode = {2: "L", 3: "RGB", 4: "RGBA"}[like.ndim if like.ndim == 2 else like.shape[2]]
        elif image.has_transparency_data and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
            mode = "RGBA"
        else:
            mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
        return np.asarray(ImageOps.exif_transpose(image).convert(mode))


def saved(pixels: np.ndarray, picture_format: str, **options: object) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, picture_format, **options)
    return target.getvalue()


def through(command: list[str], picture: Picture) -> bytes | None:
    """The output of a program for a file; None if the program is not installed or fails."""
    if shutil.which(command[0]) is None:
        return None
    ended = subprocess.run([*command, str(picture.path)], capture_output=True, check=False)
    return ended.stdout or None


def jpegoptim(picture: Picture, *options: str) -> bytes | None:
    return through(["jpegoptim", *options, "--stdout", "-q"], picture)


def plain(picture: Picture) -> bytes:
    return saved(picture.pixels, "JPEG", quality=QUALITY)


STARTS: dict[str, int] = {}


def least(
    program: str, picture: Picture, make: Callable[[int], bytes | None], aim: float, highest: int = 100
) -> bytes | None:
    """The smallest result of a program at a score, by its quality, which is assumed to raise the score: in widening
    steps from the quality of the previous picture, then by bisection between the last two of them."""
    made: dict[int, bytes | None] = {}

    def reaches(quality: int) -> bool:
        made[quality] = make(quality)
        data = made[quality]
        return data is not None and picture.score(data) >= aim

    quality, step = min(STARTS.get(program, QUALITY), highest), 1
    low, high = 0, highest + 1
    while low + 1 < high:
        if reaches(quality):
            high = quality
        else:
            low = quality
        if low > 0 and high <= highest:
            quality = (low + high) // 2
        elif high <= highest:
            quality, step = max(1, high - step), step * 2
        else:
            quality, step = min(highest, low + step), step * 2
    if high > highest:
        return None
    STARTS[program] = high
    return made[high]


def aim_of(picture: Picture) -> float:
    return picture.score(plain(picture))


def ours(options: CompressionOptions) -> Maker:
    def make(picture: Picture) -> bytes | None:
        result = recompress(picture.data, options, Limits())
        return result.data if isinstance(result, Recompressed) else None

    return make


def oxipng_of(picture: Picture, level: int) -> bytes:
    """The output of oxipng for a file; its library does the same as the program."""
    made = through(["oxipng", f"-o{level}", "--stdout", "-q"], picture)
    return made or bytes(oxipng.optimize_from_memory(picture.data, level=level))


def cjpegli(picture: Picture, quality: int) -> bytes | None:
    """Of the pixels, since it takes no file that it would have to turn. Where the program is not installed by its
    library, whose baseline files are then packed as ours are, since the program writes progressive ones."""
    if shutil.which("cjpegli") is None:
        image = Image.fromarray(picture.pixels)
        made = encoders.encode_by_jpegli(image, quality)
        return encoders.repacked_grey_jpeg(made) if image.mode == "L" else encoders.repacked_jpeg(made)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.png", Path(folder) / "a.jpg"
        source.write_bytes(saved(picture.pixels, "PNG", compress_level=1))
        command = ["cjpegli", str(source), str(target), "-q", str(quality), "--chroma_subsampling=420"]
        subprocess.run(command, capture_output=True, check=False)
        return target.read_bytes() if target.exists() else None


def pngquant(picture: Picture, colours: int = 256) -> bytes | None:
    return None if colours < 2 else through(["pngquant", "--output", "-", str(colours)], picture)


def in_colours(picture: Picture, colours: int = 256) -> bytes | None:
    return ours(replace(UNSCALED, colours=colours))(picture)


def palette_of(picture: Picture, colours: int) -> bytes:
    """The result of `--colours`, compared with the lossless one; without metadata."""
    return encoders.encode_losslessly(palette.reduced(Image.fromarray(picture.pixels), colours), "PNG")


def bare_pngquant(picture: Picture, colours: int = 256) -> bytes | None:
    """The output of pngquant, without the metadata that it keeps."""
    made = pngquant(picture, colours)
    return None if made is None else png_file.with_metadata(made, [])


def fewest(program: str, make: Callable[[Picture, int], bytes | None], other: Maker) -> Maker:
    """The result of a program with the fewest colours that reach the lower score of the two with 256; the other one
    keeps its 256."""

    def made(picture: Picture) -> bytes | None:
        own, beside = make(picture, 256), other(picture)
        if own is None or beside is None:
            return None
        aim = min(picture.score(own), picture.score(beside))
        if picture.score(own) == aim:
            return own
        return least(f"{program}, colours", picture, lambda colours: make(picture, colours), aim, 256)

    return made


PACKED = ours(UNSCALED)


def ours_at(picture: Picture) -> bytes | None:
    """Our encoders and our search, at the score of plain Pillow, as `-c` does it: the smallest of its coefficients, of
    jpegli's and of the file's own."""
    image = Image.fromarray(picture.pixels)
    aim = aim_of(picture)
    made = [encoders.repacked_jpeg(plain(picture)), *(packed for packed in [PACKED(picture)] if packed is not None)]
    if encoders.can_use_jpegli(image, "4:2:0"):
        part = quality_search.mosaic(picture.pixels)

        def of_part(quality: int) -> float:
            return ssimulacra2.score(part, pixels_of(encoders.encode_by_jpegli(Image.fromarray(part), quality), part))

        def of_whole(quality: int) -> float:
            return picture.score(encoders.encode_by_jpegli(image, quality))

        quality = quality_search.least_quality(of_part, of_whole, aim)
        if quality is not None:
            data = encoders.encode_by_jpegli(image, quality)
            made.append(encoders.repacked_grey_jpeg(data) if image.mode == "L" else encoders.repacked_jpeg(data))
    return min(made, key=len)


OF_JPEG: dict[str, Maker] = {
    f"plain Pillow, quality {QUALITY}": plain,
    f"jpegoptim -m{QUALITY}": lambda p: jpegoptim(p, f"-m{QUALITY}"),
    "at equal score: plain Pillow": plain,
    "at equal score: jpegoptim": lambda p: least("jpegoptim", p, lambda q: jpegoptim(p, f"-m{q}"), aim_of(p)),
    "at equal score: cjpegli": lambda p: least("cjpegli", p, lambda q: cjpegli(p, q), aim_of(p)),
    "at equal score: ComparImg": ours_at,
    "every pixel equal: jpegoptim": jpegoptim,
    "every pixel equal: jpegoptim --all-progressive": lambda p: jpegoptim(p, "--all-progressive"),
    "every pixel equal: ComparImg -c 100": PACKED,
}
OF_PNG: dict[str, Maker] = {
    "every pixel equal: Pillow, optimize": lambda p: saved(p.pixels, "PNG", optimize=True),
    "every pixel equal: oxipng -o2": lambda p: oxipng_of(p, 2),
    "every pixel equal: oxipng -o4": lambda p: oxipng_of(p, 4),
    "every pixel equal: ComparImg": PACKED,
    "256 colours: pngquant": pngquant,
    "256 colours: ComparImg --colours 256": in_colours,
    "fewest colours at equal score: pngquant": fewest("pngquant", bare_pngquant, lambda p: palette_of(p, 256)),
    "fewest colours at equal score: ComparImg --colours": fewest("ComparImg", palette_of, bare_pngquant),
}
if WITH_TARGETS:
    OF_JPEG |= {f"ComparImg --target {target}": ours(replace(UNSCALED, target=target)) for target in Target}
    for one, tables in ((Format.WEBP, (OF_JPEG, OF_PNG)), (Format.AVIF, (OF_JPEG,))):
        for table in tables:
            table[f"ComparImg --target high --format {one}"] = ours(replace(UNSCALED, target=Target.HIGH, format=one))


def outcome_of(picture: Picture, make: Maker) -> Outcome:
    started_s = spent_s()
    made = make(picture)
    took_s = spent_s() - started_s
    # What cannot be made smaller is left unchanged, as a user would do.
    kept = picture.data if made is None or len(made) > len(picture.data) else made
    return Outcome(len(kept), picture.score(kept), took_s, made is not None)


class Results:
    """The outcomes so far, by file and program; in a file too, if one is named."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        if path is not None and Path(path).exists():
            for line in Path(path).read_text().splitlines():
                row = json.loads(line)
                key = row.pop("digest"), row.pop("way")
                self._outcomes[key] = Outcome(**row)

    def of(self, picture: Picture, way: str, make: Maker) -> Outcome:
        key = hashlib.sha256(picture.data).hexdigest(), way
        if key not in self._outcomes:
            self._outcomes[key] = outcome_of(picture, make)
            if self._path is not None:
                with open(self._path, "a") as file:
                    print(json.dumps({"digest": key[0], "way": way} | asdict(self._outcomes[key])), file=file)
        return self._outcomes[key]


def measure(name: str, pictures: list[Picture], makers: dict[str, Maker], results: Results) -> None:
    table = defaultdict[str, list[Outcome]](list)
    for picture in pictures:
        for way, make in makers.items():
            table[way].append(results.of(picture, way, make))
    size = sum(picture.pixels.shape[0] * picture.pixels.shape[1] for picture in pictures) / 1e6
    total = sum(len(picture.data) for picture in pictures)
    print(f"\n{name}: {len(pictures)} files, {size:.0f} megapixels, {total / 1e6:.1f} MB\n")
    print("| | bytes | score: mean | least | s/MP |\n|---|---:|---:|---:|---:|", flush=True)
    for way, outcomes in table.items():
        if any(outcome.is_made for outcome in outcomes):
            scores = [outcome.score for outcome in outcomes]
            share = sum(outcome.size for outcome in outcomes) / total
            took_s = sum(outcome.spent_s for outcome in outcomes) / size
            print(f"| {way} | {share:.1%} | {np.mean(scores):.1f} | {min(scores):.1f} | {took_s:.2f} |")
        else:
            print(f"| {way} | not installed | | | |")
    print()
    for way, outcomes in table.items():
        kind, _, program = way.partition(": ")
        own = next((name for name in table if name.startswith(f"{kind}: ComparImg")), None)
        if own is not None and "ComparImg" not in program and any(outcome.is_made for outcome in outcomes):
            ratios = np.array([a.size / b.size for a, b in zip(table[own], outcomes, strict=True)])
            mean = np.exp(np.log(ratios).mean())
            worst = pictures[int(ratios.argmax())].path.name
            print(
                f"{kind}: ComparImg takes {mean:.1%} of {program} (geometric mean), {ratios.max():.1%} at most: {worst}"
            )


def pictures_in(folder: Path, formats: tuple[str, ...]) -> Iterator[Picture]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    taken = []
    for file in files:
        data = file.read_bytes()
        try:
            with opened(data, Limits()) as image:
                is_taken = image.format in formats and image.mode in MODES and min(image.size) >= 64
                is_taken = is_taken and image.width * image.height <= MEGAPIXELS * 1e6
        except Exception:  # noqa: BLE001 - what is no picture is not measured
            continue
        if is_taken:
            taken.append((file, data))
    step = max(1, len(taken) // MOST)
    for file, data in taken[::step][:MOST]:
        yield Picture(file, data, pixels_of(data), formats[0])


def make_charts(folder: Path) -> None:
    """The kind of pictures that screens show: flat areas, lines, letters."""
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
    results = Results(RESULTS)
    with tempfile.TemporaryDirectory() as made:
        if not folders:
            make_pictures(Path(made) / "photographs", 4, (1600, 1200))
            make_charts(Path(made) / "charts")
            folders = [f"{made}/photographs", f"{made}/charts"]
        for folder in map(Path, folders):
            for kind, formats, makers in (("JPEG", ("JPEG", "MPO"), OF_JPEG), ("PNG", ("PNG",), OF_PNG)):
                pictures = list(pictures_in(folder, formats))
                if pictures:
                    measure(f"{folder.name}, {kind}", pictures, makers, results)


if __name__ == "__main__":
    os.nice(5)
    named = os.environ.get("PHOTOS", "")
    main(sys.argv[1:] or ([named] if Path(named).is_dir() and named else named.split()))
