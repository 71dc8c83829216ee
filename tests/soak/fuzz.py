"""Random nonsense at the four edges: decoders, our parsers, comparimg.toml, REST. Prints what came of it.

    make fuzz [SECONDS=600] [SEED=1]

A quarter of the time for each. What went wrong is kept in the folder that is named, and the exit code is 1.
"""

import argparse
import http.client
import io
import itertools
import json
import random
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from PIL import Image

from daemon.client import Client
from daemon.configuration.config import SECTIONS, load
from daemon.processes.decode_task import IndexTask, index_file
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.errors import ComparImgError
from index.imaging.decoding.pictures import Limits
from index.model import Identity
from index.settings import SETTINGS, display_value
from soak.fuzz_parsers import fuzz_parsers
from support.mutations import mutate
from support.pictures import build_tree, photograph
from support.program import Program, wait_until_idle

# What a decode may end with. "crashed" is an error that no one thought of, or the end of the process.
FORESEEN = frozenset({"", "corrupt", "truncated", "not_an_image", "too_large", "no_decoder", "empty", "out_of_memory"})
SAVED = (
    ("a.jpg", "JPEG", {}), ("b.jpg", "JPEG", {"progressive": True, "quality": 40}), ("c.png", "PNG", {}),
    ("d.gif", "GIF", {}), ("e.bmp", "BMP", {}), ("f.webp", "WEBP", {}), ("g.webp", "WEBP", {"lossless": True}),
    ("h.tif", "TIFF", {}), ("i.tif", "TIFF", {"compression": "tiff_lzw"}),
    ("j.tif", "TIFF", {"compression": "packbits"}),
    ("k.tif", "TIFF", {"compression": "tiff_deflate"}), ("l.avif", "AVIF", {}), ("m.jpg", "MPO", {}),
)  # fmt: skip
MODES = ("RGB", "L", "RGBA", "P", "1", "I;16", "CMYK", "LA")


def seeds() -> list[tuple[str, bytes]]:
    """A small file of each format in each mode that it takes, with EXIF where it may have some."""
    files = []
    picture = photograph(77, 96, 72)
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "maker", 0x9003: "2020:01:01 00:00:00"})
    for (name, kind, options), mode in itertools.product(SAVED, MODES):
        file = io.BytesIO()
        try:
            converted = picture.convert("L").convert("I").convert("I;16") if mode == "I;16" else picture.convert(mode)
            extra = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "AVIF", "MPO") else {}
            converted.save(file, kind, **options, **extra)
        except (OSError, ValueError, KeyError):
            # Not every format takes every mode.
            continue
        files.append((name, file.getvalue()))
    return files


def fuzz_decoders(chance: random.Random, seconds: float, kept: Path) -> Counter[str]:
    files = seeds()
    datas = [data for _, data in files]
    counts: Counter[str] = Counter(formats=len(files))
    end_s = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as place, WorkerPool(2, WorkerLimits(20.0, 2**31)) as pool:

        def tasks() -> Iterator[IndexTask]:
            for number in itertools.count():
                if time.monotonic() > end_s:
                    return
                name, data = chance.choice(files)
                path = Path(place, f"{number % 2000}-{name}")
                path.write_bytes(mutate(chance, data, datas))
                yield IndexTask(bytes(path), bytes(path.parent), Identity(0, 0, 0, 0), frozenset(), Limits(50_000_000))

        for outcome in pool.run(index_file, tasks()):
            path = Path(outcome.item.path.decode())
            failure = outcome.failure.reason if outcome.failure else outcome.value.failure  # type: ignore[union-attr]
            counts[failure or "decoded"] += 1
            if failure not in FORESEEN:
                message = outcome.failure.message if outcome.failure else outcome.value.message  # type: ignore[union-attr]
                keep(kept, f"decoder-{failure}", path.read_bytes(), message, path.suffix)
                counts["FOUND"] += 1
    return counts


def fuzz_own_parsers(chance: random.Random, seconds: float, kept: Path) -> Counter[str]:
    return fuzz_parsers(chance, seconds, lambda what, data, message: keep(kept, what, data, message, ""))


VALUES = (
    "true", "0", "-1", "1e400", "nan", "inf", "9" * 40, '""', '"\\u0000"', '"~daemon/x"', "[]", "[[]]", "{}", "[1, 2]",
    "1979-05-27", "'''x'''", '"0 3 * * *"', '["a", 1]', "0x7fffffffffffffff", f'"{"x" * 3000}"', '"é\\n"', "= =", "\0",
)  # fmt: skip


def fuzz_config(chance: random.Random, seconds: float, kept: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    end_s = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "comparimg.toml")
        while time.monotonic() < end_s:
            data = wrong_config(chance, place)
            file.write_bytes(data)
            try:
                load(file, {"HOME": place})
                counts["accepted"] += 1
            except ComparImgError as error:
                counts["refused" if str(file) in str(error) else "refused without naming the file"] += 1
            except Exception:  # noqa: BLE001 - whatever it is, it is what is searched for
                keep(kept, "config", data, traceback.format_exc(), ".toml")
                counts["FOUND"] += 1
            counts["valid TOML"] += is_toml(data)
    return counts


def wrong_config(chance: random.Random, place: str) -> bytes:
    """Sections with most of their keys, some of them with values that no one meant, some keys and sections misspelt."""
    lines = []
    for name in SECTIONS:
        lines.append(f"[[{name}]]" if name == "watch" and chance.random() < 0.95 else f"[{misspelt(chance, name)}]")
        for setting in SETTINGS:
            section, _, key = setting.key.partition(".")
            if section == name and chance.random() < 0.5:
                usual = f'"{place}/{key}"' if setting.default is None else display_value(setting.default)
                value = chance.choice(VALUES) if chance.random() < 0.06 else usual
                lines.append(f"{misspelt(chance, key)} = {value}")
    data = "\n".join(lines).encode()
    return mutate(chance, data, [data]) if chance.random() < 0.3 else data


def misspelt(chance: random.Random, name: str) -> str:
    return name[:-1] + chance.choice("abcxyz ") if chance.random() < 0.004 else name


def is_toml(data: bytes) -> bool:
    try:
        tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return False
    return True


NONSENSE: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2**63, 2**70, 1.5, 1e308, "", "x", "\0", "../../etc/passwd", "\ud800", "é" * 500, [], {},
    [[]] * 50, [None], {"": {}}, "2026-01-01", "keep", "trash", "scan", "exact", [1, 2], "%00", "' OR 1=1 --",
)  # fmt: skip


def fuzz_rest(chance: random.Random, seconds: float, kept: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        photos = Path(place, "photos")
        pictures = {f"{number}.jpg": photograph(number % 4, 96, 72) for number in range(8)}
        build_tree(photos, {**pictures, "broken.jpg": b"\xff\xd8\xff no"})
        program = Program(Path(place), photos)
        with program.running() as (process, address):
            wait_until_idle(address)
            document = Client(address).get("openapi.json")
            routes = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
            counts["routes"] = len(routes)
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s and process.poll() is None:
                ask_nonsense(chance, address, *chance.choice(routes), document, counts, kept)
            healthy = process.poll() is None and Client(address).get("status")["healthy"]
            counts["alive and healthy at the end"] = int(healthy)
            counts["FOUND"] += not healthy
            process.terminate()
            counts["stopped with 0"] = int(process.wait(60) == 0)
        program.check_index()
        there = sum(1 for path in photos.rglob("*.jpg"))
        counts["pictures there at the end, wherever"] = there
        counts["FOUND"] += program.log.read_text().count("Traceback")
        if "Traceback" in program.log.read_text():
            keep(kept, "rest-log", program.log.read_bytes(), "", ".log")
    return counts


def ask_nonsense(
    chance: random.Random, address: str, method: str, path: str, document: Any, counts: Counter[str], kept: Path
) -> None:
    names = [name for schema in document["components"]["schemas"].values() for name in schema.get("properties", ())]
    target = path if path.startswith("/api") else f"/api/v1{path}"
    while "{" in target:
        before, _, rest = target.partition("{")
        value = chance.choice(["1", "2", "0", "-1", "x", "9" * 30, "%00", "..", "1%2F2", quote("é")])
        target = before + value + rest.partition("}")[2]
    if chance.random() < 0.5:
        query = {chance.choice([*names, "cursor", "limit", "sort", "kind"]): chance.choice(NONSENSE) for _ in range(2)}
        target += "?" + urlencode({name: str(value).encode("utf-8", "replace") for name, value in query.items()})
    body = nonsense(chance, names) if method in ("POST", "PUT", "PATCH") else b""
    headers = {"Content-Type": chance.choice(["application/json"] * 6 + ["text/plain", ""])}
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=30)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        # A stream of events has no end.
        data = b"" if answer.headers.get_content_type() == "text/event-stream" else answer.read()
        counts[str(answer.status)] += 1
        wrong = answer.status >= 500 and answer.status != 503
        if answer.status >= 400 and "error" not in json.loads(data):
            wrong = True
    except (OSError, ValueError, http.client.HTTPException) as error:
        wrong, data = True, str(error).encode()
    finally:
        connection.close()
    if wrong:
        counts["FOUND"] += 1
        keep(kept, "rest", body, f"{method} {target} {headers}\n{data[:2000]!r}", ".json")


def nonsense(chance: random.Random, names: list[str]) -> bytes:
    if chance.random() < 0.1:
        return chance.randbytes(chance.randint(0, 400))
    if chance.random() < 0.05:
        return b"[" * 20_000

    def value(depth: int) -> Any:
        if depth and chance.random() < 0.4:
            return [value(depth - 1) for _ in range(chance.randint(0, 3))]
        if depth and chance.random() < 0.5:
            return {chance.choice(names): value(depth - 1) for _ in range(chance.randint(0, 3))}
        return chance.choice(NONSENSE)

    body = {chance.choice(names): value(2) for _ in range(chance.randint(0, 4))}
    return json.dumps(body if chance.random() < 0.9 else value(2)).encode()


def keep(kept: Path, what: str, data: bytes, message: str, suffix: str) -> None:
    kept.mkdir(exist_ok=True)
    number = len(list(kept.iterdir()))
    (kept / f"{number:04}-{what}{suffix}").write_bytes(data)
    (kept / f"{number:04}-{what}.txt").write_text(message, errors="replace")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir(), "comparimg-fuzz"))
    options = parser.parse_args()
    print(f"seed {options.seed}; what goes wrong is kept in {options.keep}")
    failures = 0
    edges = {
        "decoders": fuzz_decoders, "parsers": fuzz_own_parsers, "comparimg.toml": fuzz_config, "REST": fuzz_rest,
    }  # fmt: skip
    for name, edge in edges.items():
        counts = edge(random.Random(options.seed), options.seconds / len(edges), options.keep)
        failures += counts.pop("FOUND", 0)
        print(f"{name}: {', '.join(f'{count} {what}' for what, count in counts.most_common())}", flush=True)
    print(f"found: {failures}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
