"""The plan of a compression: which indexed files are compressed, into which files, and which are not and why.

Nothing is decoded here: the plan follows from the facts and the earlier compressions of each content in the index.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from peewee import SqliteDatabase

from daemon.files import safe_files
from daemon.files.protected_paths import ManagedFolders
from daemon.files.siblings import Folder, is_picture
from index.database.records import compressions, images
from index.database.records.batches import Action, Step
from index.database.records.compressions import CompressionRecord, State
from index.database.records.jobs import CompressParameters
from index.database.records.sql_paging import Where, below_any
from index.errors import UsageError
from index.imaging.discovery.companions import companions_of, is_edited_from, owners_of, renamed
from index.imaging.encoding import compression
from index.imaging.encoding.compression import CompressionOptions, Format, Target
from index.messages import Message, of_json
from index.model import Facts, Identity, RootState
from index.paths import display
from index.settings import parse_resolution

MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class CompressRequest:
    """What to compress, and how. Without `folders` and `files`, all watched folders. With `modify` the result replaces
    the source, with `delete` the source goes to the trash."""

    options: CompressionOptions
    least_bytes: int
    modify: bool = False
    delete: bool = False
    recursive: bool = False
    folders: tuple[bytes, ...] = ()
    files: tuple[bytes, ...] = ()

    @property
    def keeps_source(self) -> bool:
        return not (self.modify or self.delete)


@dataclass(slots=True)
class CompressPlan:
    """`steps` in their order, those of one file together, and `records` of the files that are not touched. Of all
    `files`, `known` were compressed before or need no compression, and `undone` were restored after the same
    compression. In addition, `smaller` ones are below the minimum size."""

    steps: list[Step] = field(default_factory=list)
    records: list[CompressionRecord] = field(default_factory=list)
    files: int = 0
    known: int = 0
    undone: int = 0
    smaller: int = 0

    def counts(self) -> dict[str, int]:
        """The counts, by their names in the outcome of the job."""
        return {"files": self.files, "known": self.known, "undone_before": self.undone, "smaller": self.smaller}


def request_of(values: Mapping[str, Any], given: CompressParameters) -> CompressRequest:
    """The settings (`compress.quality` and so on), overridden by the parameters of a job. Raises UsageError."""

    def wanted(name: str) -> Any:
        value = getattr(given, name)
        return values[f"compress.{name}"] if value is None else value

    width, height = parse_resolution(wanted("resolution"))
    target = wanted("target") if given.quality is None else given.target
    picture_format = wanted("format")
    return CompressRequest(
        options=CompressionOptions(
            quality=wanted("quality"),
            target=Target(target) if target else None,
            width=width,
            height=height,
            keep_ratio=wanted("keep_ratio"),
            enlarge=wanted("enlarge"),
            format=Format(picture_format) if picture_format else None,
            baseline=wanted("baseline"),
            strip=wanted("strip"),
            colours=wanted("colours"),
            least_gain=wanted("least_gain") / 100,
        ),
        least_bytes=int(wanted("size_threshold_mb") * MEGABYTE),
        modify=wanted("modify_source"),
        delete=wanted("delete_source"),
        recursive=wanted("recursive"),
        folders=tuple(os.fsencode(folder) for folder in given.folders),
        files=tuple(os.fsencode(file) for file in given.files),
    )


def make_plan(database: SqliteDatabase, request: CompressRequest, folders: ManagedFolders) -> CompressPlan:
    """Plan every selected file of the index. Raises UsageError for paths that are not watched."""
    _require_watched(request, folders)
    plan = CompressPlan(smaller=_count_smaller(database, request))
    rows = list(_rows(database, request))
    facts = {bytes(row.digest): images.facts_of(row) for row in rows}
    needless = compressions.done_contents(database, facts, request.options)
    undone = compressions.undone_contents(database, facts, request.options)
    results = compressions.results_of(database, facts, request.options) if request.keeps_source else {}
    seen: set[tuple[int, int]] = set()
    companions = _Companions(folders)
    for row in rows:
        if (row.device, row.inode) in seen:
            continue
        seen.add((row.device, row.inode))
        plan.files += 1
        digest = bytes(row.digest)
        refusal = _refusal(row, facts[digest], request, folders)
        if refusal is None and digest in undone and row.path not in request.files:
            plan.undone += 1
        elif refusal is None and (digest in needless or _has_result(database, row.path, results.get(digest, ()))):
            plan.known += 1
        else:
            _add(plan, request, row, facts[digest], refusal, companions)
    return plan


class _Companions:
    """The companions that must be renamed with their images. Each folder is read once."""

    def __init__(self, folders: ManagedFolders) -> None:
        self._folders = folders
        self._read: dict[bytes, Folder] = {}

    def to_rename(self, image: bytes, result: bytes) -> Iterator[tuple[bytes, bytes, Identity]]:
        """Path, new path and identity of each file that belongs to this image alone, and whose name would not be that
        of a companion of the result."""
        folder, name = os.path.split(image)
        file_ref = self._folders.file_ref(image)
        if folder not in self._read:
            self._read[folder] = Folder()
            with contextlib.suppress(OSError):
                self._read[folder] = Folder.of(file_ref)
        names, fold = self._read[folder].related(name), self._read[folder].fold
        for companion in companions_of(name, names, fold):
            named = renamed(companion.name, name, os.path.basename(result))
            # A file that was edited from an image has no claim to the image's name.
            others = [
                other
                for other in owners_of(companion.name, names, fold)
                if other != name and not is_edited_from(other, name, fold)
            ]
            if named == companion.name or any(is_picture(file_ref.sibling(other)) for other in others):
                continue
            identity = safe_files.identity_at(file_ref.sibling(companion.name))
            if identity is not None:
                yield os.path.join(folder, companion.name), os.path.join(folder, named), identity


def _require_watched(request: CompressRequest, folders: ManagedFolders) -> None:
    for field_name, paths in (("folders", request.folders), ("files", request.files)):
        for path in paths:
            if not folders.is_below_any(path):
                raise UsageError("compress.not_watched", path=display(path), field=f"parameters.{field_name}")


def _rows(database: SqliteDatabase, request: CompressRequest) -> Sequence[Any]:
    columns = "i.id AS image_id, i.path, i.device, i.inode, i.size_bytes, i.mtime_ns, r.path AS root_path,"
    return _selected(database, request, f"{columns} r.state AS root_state, c.*", "i.size_bytes >= ?")


def _count_smaller(database: SqliteDatabase, request: CompressRequest) -> int:
    """How many images are skipped for their size."""
    columns = "i.path, r.path AS root_path, c.format, c.failure"
    return len(_selected(database, request, columns, "i.size_bytes < ?"))


def _selected(database: SqliteDatabase, request: CompressRequest, columns: str, of_size: str) -> Sequence[Any]:
    where = Where()
    where.add("r.watched AND NOT r.temporary")
    where.add(of_size, request.least_bytes)
    if request.folders or request.files:
        places = [os.fsdecode(path) for path in (*request.folders, *request.files)]
        term, *values = below_any("i.path", places)
        where.add(term, *values)
    cursor = database.execute_sql(
        f"SELECT {columns} FROM image i JOIN content c ON c.id = i.content_id JOIN root r ON r.id = i.root_id"
        f" WHERE {where} ORDER BY i.path",
        where.values,
    )
    names = [column[0] for column in cursor.description]
    return [row for values in cursor if _is_selected(row := _Row(dict(zip(names, values, strict=True))), request)]


class _Row:
    """A row by its columns; of two columns of one name, that of the content."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def _is_selected(row: Any, request: CompressRequest) -> bool:
    """Whether the request selects a file, by name or by its folder."""
    if row.path in request.files:
        return True
    if row.format not in compression.TAKEN and not row.failure:
        return False
    if request.keeps_source and os.path.splitext(row.path)[0].endswith(compression.SUFFIX):
        return False
    folders = request.folders or (() if request.files else (row.root_path,))
    folder = os.path.dirname(row.path)
    return any(folder == top or (request.recursive and folder.startswith(top.rstrip(b"/") + b"/")) for top in folders)


def _add(
    plan: CompressPlan,
    request: CompressRequest,
    row: Any,
    facts: Facts,
    refusal: tuple[str, Message] | None,
    companions: "_Companions",
) -> None:
    path, digest = bytes(row.path), bytes(row.digest)
    target = path
    if refusal is None:
        folder, name = os.path.split(path)
        made = compression.result_name(name, facts.format, request.options, next_to_source=not request.modify)
        target = os.path.join(folder, made)
        if target != path and os.path.lexists(target):
            refusal = "output_exists", Message("compress.output_exists", name=display(made))
    if refusal is not None:
        plan.records.append(_record_of(row, facts, request, State.REFUSED, *refusal))
        return
    identity = Identity(row.device, row.inode, row.size_bytes, row.mtime_ns)
    if target == path:
        plan.steps.append(Step(Action.REPLACE, path, identity, digest))
        return
    plan.steps.append(Step(Action.CREATE, path, identity, digest, target=target))
    if not request.keeps_source:
        # A companion step: it is not undone without the other.
        leader = len(plan.steps)
        plan.steps.append(Step(Action.TRASH, path, identity, digest, companion_of=leader))
        for companion, named, of_companion in companions.to_rename(path, target):
            plan.steps.append(Step(Action.MOVE, companion, of_companion, b"", target=named, companion_of=leader))


def _refusal(row: Any, facts: Facts, request: CompressRequest, folders: ManagedFolders) -> tuple[str, Message] | None:
    """Why a file must not be changed, as a code and a sentence."""
    if row.failure:
        return row.failure, Message("compress.no_picture", problem=of_json(row.failure_message) or "")
    if row.root_state != RootState.ONLINE:
        return "offline", Message("step.offline")
    if (protection := folders.protection_of(row.path)) is not None:
        return "protected", protection.message
    if facts.format not in compression.TAKEN:
        return "format", Message("compress.format", format=facts.format)
    if facts.damage:
        return images.DAMAGED, Message("compress.damaged", problem=facts.damage)
    if facts.frames > 1:
        return "animation", Message("compress.animation")
    if not request.keeps_source and _link_count(row.path) > 1:
        return "hard_linked", Message("compress.hard_linked")
    return None


def _link_count(path: bytes) -> int:
    try:
        return os.lstat(path).st_nlink
    except OSError:
        return 1


def _has_result(database: SqliteDatabase, path: bytes, digests: Sequence[bytes]) -> bool:
    """Whether a file with one of these contents is in the same folder."""
    folder = os.path.dirname(path)
    for digest in digests:
        rows = database.execute_sql(
            "SELECT i.path FROM image i JOIN content c ON c.id = i.content_id WHERE c.digest = ?", (digest,)
        )
        if any(os.path.dirname(other) == folder and os.path.lexists(other) for (other,) in rows):
            return True
    return False


def _record_of(
    row: Any, facts: Facts, request: CompressRequest, state: State, reason: str, message: Message
) -> CompressionRecord:
    return CompressionRecord(
        path=bytes(row.path),
        state=state,
        options_key=request.options.key,
        source_bytes=row.size_bytes,
        source_digest=bytes(row.digest),
        source_size=f"{facts.width}x{facts.height}",
        format=facts.format,
        reason=reason,
        message=message,
    )
