"""An index made of rows, with as many real files behind it as a test wants, and a client that asks an app without a
socket. Fixtures of the tests of the web part and of the browser."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from wsgiref.headers import Headers
from wsgiref.util import setup_testing_defaults

from PIL import Image as Pictures
from PIL import ImageOps

from daemon.configuration.config import parse_text
from daemon.folder_setup import FolderSetup
from daemon.live_settings import LiveSettings
from index.database import schema
from index.database.records.matches import dump_parameters
from index.database.store import Store
from index.errors import PictureError, UsageError
from index.imaging.grouping.groups import KEY_LENGTH
from index.messages import Message, text
from index.model import DetectParameters, Identity, Kind, Turn
from support.pictures import photograph
from webui.app import WebApp, make_app
from webui.services import EffectiveSetting, Lending, RootWatch, Services, WebAccess

NOW_NS = 1_700_000_000 * 10**9
ENDS_EARLY = "The file ends too early."


def draw_picture(seed: int, size: tuple[int, int] = (320, 240)) -> Pictures.Image:
    """A picture unlike those of other seeds."""
    return photograph(seed, *size)


def jpeg_bytes(picture: Pictures.Image, quality: int = 88) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@dataclass
class Library:
    """Rows of an index. Paths are below `folder`, which is a real folder."""

    store: Store
    folder: Path
    detection_id: int = 0
    roots: dict[bytes, int] = field(default_factory=dict)
    inodes: int = 10_000

    def add_root(self, path: Path | None = None, **values: Any) -> int:
        raw = bytes(path or self.folder)
        defaults = {"path": raw, "protected": False, "priority": 0, "watched": True, "state": "online", "reason": None,
                    "walked_ns": NOW_NS}  # fmt: skip
        root_id = self.write(lambda db: schema.Root.insert(**defaults | values).execute(db))
        self.roots[raw] = root_id
        return int(root_id)

    def add_content(self, seed: int, **values: Any) -> int:
        digest = hashlib.sha256(f"content {seed}".encode()).digest()
        defaults: dict[str, Any] = {
            "digest": digest, "size_bytes": 1000 + seed, "format": "JPEG", "width": 4000, "height": 3000,
            "jpeg_quality": 92, "taken": "2019-07-14T10:31:02", "camera": "Canon EOS 80D", "metadata": "exif,gps",
            "scheme": "test", "hash8": digest[:8] * 4, "hash16": digest * 4, "hash32": digest * 16,
        }  # fmt: skip
        return int(self.write(lambda db: schema.Content.insert(**defaults | values).execute(db)))

    def add_image(self, content_id: int | None, name: bytes | str, root_id: int = 1, **values: Any) -> int:
        self.inodes += 1
        name = name if isinstance(name, bytes) else name.encode()
        defaults = {"root": root_id, "path": bytes(self.folder) + b"/" + name, "device": 1, "inode": self.inodes,
                    "size_bytes": 1000, "mtime_ns": NOW_NS, "content": content_id, "indexed_ns": NOW_NS}  # fmt: skip
        return int(self.write(lambda db: schema.Image.insert(**defaults | values).execute(db)))

    def add_file(self, name: bytes | str, data: bytes, picture_format: str = "JPEG", **content: Any) -> int:
        """A real file with its rows; equal bytes share a content."""
        name = name if isinstance(name, bytes) else name.encode()
        path = bytes(self.folder) + b"/" + name
        Path(path.decode("utf-8", "surrogateescape")).parent.mkdir(parents=True, exist_ok=True)
        Path(path.decode("utf-8", "surrogateescape")).write_bytes(data)
        digest = hashlib.sha256(data).digest()
        with self.store.read() as database:
            known = [row.id for row in schema.Content.select().where(schema.Content.digest == digest).execute(database)]
        if known:
            content_id = known[0]
        else:
            with Pictures.open(io.BytesIO(data)) as picture:
                facts = {"width": picture.width, "height": picture.height, "format": picture_format}
            content_id = self.add_content(0, **facts | {"digest": digest, "size_bytes": len(data)} | content)
        status = Path(path.decode("utf-8", "surrogateescape")).lstat()
        identity = Identity.of(status)
        return self.add_image(
            content_id, name, device=identity.device, inode=identity.inode,
            size_bytes=identity.size_bytes, mtime_ns=identity.mtime_ns,
        )  # fmt: skip

    def add_detection(self, **parameters: Any) -> int:
        text = dump_parameters(DetectParameters(**parameters))
        self.detection_id = int(self.write(
            lambda db: schema.Detection.insert(
                parameters=text, created_ns=NOW_NS, finished_ns=NOW_NS, current=True
            ).execute(db)
        ))  # fmt: skip
        return self.detection_id

    def add_group(self, reference: int, *others: tuple[int, Kind, int, Turn], **values: Any) -> str:
        """A group of contents; the figures that lists are sorted by may be given."""
        with self.store.read() as database:
            digest = schema.Content.select(schema.Content.digest).where(schema.Content.id == reference).scalar(database)
        key = values.pop("key", digest.hex()[:KEY_LENGTH])
        kinds = list(Kind)
        kind = max((other[1] for other in others), key=kinds.index, default=Kind.EXACT)
        evidence = json.dumps(values.pop("evidence", {"scale": 0.5}))
        defaults = {"detection": self.detection_id, "key": key, "kind": kind, "reference": reference,
                    "images": len(others) + 1, "size_bytes": 5000, "reclaimable_bytes": 2000, "confidence": 0.97,
                    "newest_ns": NOW_NS, "changed_ns": NOW_NS}  # fmt: skip

        def change(db: Any) -> None:
            group = schema.DuplicateGroup.insert(**defaults | values).execute(db)
            schema.Member.insert(
                group=group, content=reference, position=0, kind=Kind.EXACT, distance=0, turn=Turn.NONE
            ).execute(db)
            for position, (content, match_kind, distance, turn) in enumerate(others, 1):
                schema.Member.insert(
                    group=group, content=content, position=position, kind=match_kind, distance=distance, turn=turn
                ).execute(db)
                schema.Match.insert(
                    detection=self.detection_id, a=min(reference, content), b=max(reference, content),
                    kind=match_kind, distance=distance, turn=turn, confidence=0.97, evidence=evidence,
                ).execute(db)  # fmt: skip

        self.write(change)
        return str(key)

    def add_problem(
        self, name: str, reason: str = "truncated", at_ns: int = NOW_NS, root_id: int = 1,
        message: Message | None = None,
    ) -> None:  # fmt: skip
        path = bytes(self.folder) + b"/" + name.encode("utf-8", "surrogateescape")
        self.write(
            lambda db: schema.Problem.insert(
                root=root_id, path=path, reason=reason, message=message or text(ENDS_EARLY), at_ns=at_ns
            ).execute(db)
        )

    def write(self, change: Any) -> Any:
        return self.store.write(change)


def add_pictures(library: Library, groups: int = 6) -> list[str]:
    """Groups of a picture with a smaller, a mirrored or an exact copy; every file is real. Their ids, in order."""
    keys = []
    for number in range(groups):
        picture = draw_picture(number, (640, 420 if number % 2 else 560))
        original = library.add_file(f"2019/holiday {number}.jpg", jpeg_bytes(picture, 92), jpeg_quality=92)
        kind = ("small", "mirror", "copy")[number % 3]
        evidence: dict[str, Any] = {"turn": "flip_horizontal"} if kind == "mirror" else {"scale": 0.5}
        if kind == "copy":
            library.add_file(f"backup/holiday {number}.jpg", jpeg_bytes(picture, 92))
            others = []
        else:
            altered = ImageOps.mirror(picture) if kind == "mirror" else picture.resize((320, 210))
            library.add_file(f"2019/{kind} {number}.jpg", jpeg_bytes(altered, 75), jpeg_quality=75)
            others = [
                (
                    content_of(library, original + 1),
                    Kind.NEAR,
                    4,
                    Turn.FLIP_HORIZONTAL if kind == "mirror" else Turn.NONE,
                )
            ]
        keys.append(
            library.add_group(
                content_of(library, original),
                *others,
                evidence=evidence | {"jpeg": [92, 75]},
                images=2,
                reclaimable_bytes=1_000_000 * (groups - number),
            )
        )
    return keys


def content_of(library: Library, image_id: int) -> int:
    with library.store.read() as database:
        (content_id,) = database.execute_sql("SELECT content_id FROM image WHERE id = ?", (image_id,)).fetchone()
    return int(content_id)


class PlainSettings:
    """Settings held in a dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def all_settings(self) -> list[EffectiveSetting]:
        kept = self.values
        return [
            EffectiveSetting("detect.hsize", "int", kept.get("detect.hsize", 16), 16,
                        "override" if "detect.hsize" in kept else "default", text("8, 16 or 32"), "Bits of the hash.",
                        choices=(8, 16, 32)),
            EffectiveSetting("detect.tolerance", "int", kept.get("detect.tolerance", 80), 80, "default",
                        text("0 to 128"),
                        "Largest distance.", minimum=0, maximum=512),
            EffectiveSetting("detect.turns", "bool", kept.get("detect.turns", True), True, "default",
                        text("true or false"),
                        "Find turned copies."),
        ]  # fmt: skip

    def change(self, changes: Mapping[str, Any]) -> None:
        for key, value in changes.items():
            if key not in [setting.key for setting in self.all_settings()]:
                raise UsageError("setting.unknown", key=key, field=key)
            if key == "detect.hsize" and value not in (None, 8, 16, 32):
                raise UsageError(text("8, 16 or 32."), field=key)
        for key, value in changes.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value


@dataclass
class Daemon:
    """A stand-in for the daemon: every call is recorded, and time does not pass."""

    clock_ns: int = NOW_NS
    elapsed_ns: int = 0
    views_made: list[int] = field(default_factory=list)
    crops_made: list[tuple[int, tuple[int, int, int, int], int]] = field(default_factory=list)
    refreshed: int = 0
    folders_changed: int = 0
    toml: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    broken: frozenset[int] = frozenset()
    parts: dict[str, bool] = field(default_factory=lambda: {"writer": True, "runner": True})
    settings: PlainSettings = field(default_factory=PlainSettings)
    lending: Lending = field(default_factory=Lending)
    view: bytes = jpeg_bytes(draw_picture(1, (64, 48)))

    def make_view(self, content_id: int) -> bytes:
        self.views_made.append(content_id)
        if content_id in self.broken:
            raise PictureError("truncated", text("The file ends too early."))
        return self.view

    def make_crop(self, content_id: int, box: tuple[int, int, int, int], side: int) -> bytes:
        self.crops_made.append((content_id, box, side))
        return self.make_view(content_id)

    def schedules_changed(self) -> None:
        self.refreshed += 1

    def services(self, store: Store, **web: Any) -> Services:
        def folders_changed() -> None:
            self.folders_changed += 1

        source = store.data_dir.parent / "comparimg.toml"
        config = parse_text(f"[daemon]\ndata_dir = {json.dumps(str(store.data_dir))}\n{self.toml}", source)
        live = LiveSettings(store, config)
        return Services(
            version="0.2.0",
            component_versions={"Python": "3.11.2", "Pillow": "13.0.0"},
            started_ns=NOW_NS - 3600 * 10**9,
            settings=self.settings,
            make_preview=self.make_view,
            make_crop=self.make_crop,
            health=lambda: self.parts,
            now_ns=lambda: self.clock_ns,
            next_run_ns=lambda _: self.clock_ns + 3600 * 10**9,
            schedules_changed=self.schedules_changed,
            folders=FolderSetup(store, live, folders_changed, self.environ),
            destinations=live.destinations,
            root_watch=lambda _: RootWatch("native", 3),
            lending=lambda: self.lending,
            web=WebAccess(**web),
            elapsed_ns=lambda: self.elapsed_ns,
        )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]


@dataclass(frozen=True)
class WebClient:
    """Asks an app as a program would; `headers` go with every request."""

    app: WebApp
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, **headers: str) -> "WebClient":
        return replace(self, headers={**self.headers, **{name.replace("_", "-"): v for name, v in headers.items()}})

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        parts = urlsplit(path)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "PATH_INFO": parts.path, "QUERY_STRING": parts.query,
            "HTTP_HOST": "localhost:5000", "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)),
        }  # fmt: skip
        setup_testing_defaults(environ)
        for name, value in {**self.headers, **{name.replace("_", "-"): v for name, v in headers.items()}}.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR") else f"HTTP_{key}"] = value
        responses: list[Any] = []
        chunks = self.app(environ, lambda status, headers, exc_info=None: responses.append((status, headers)))
        try:
            data = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        status, answered = responses[0]
        return Answer(int(status.split()[0]), Headers(answered), data)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        raw = b"" if body is None else json.dumps(body).encode()
        return self.ask(method, path, raw, **{"Content_Type": "application/json", **headers})


def make_client(store: Store, daemon: Daemon, stream_lifetime_s: float = 0.3, **web: Any) -> WebClient:
    return WebClient(make_app(store, daemon.services(store, **web), stream_lifetime_s))
