"""REST: list, add, change and remove the watched folders."""

from typing import Any

import msgspec
from peewee import SqliteDatabase

from index.database.queries import listing
from index.errors import NotFound
from index.imaging.discovery import file_types
from index.messages import Message, fields, hint_of, render
from webui import schemas
from webui.api import root_schemas
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.schemas import json_bytes, optional_time, path_bytes, path_text, path_uri
from webui.services import RootSetting, Services


def get_roots(call: Call) -> root_schemas.RootList:
    query: schemas.ListQuery = call.query
    after = decode_cursor(query.cursor, "roots", (bytes,))
    setup = call.services.folders.roots()
    with call.store.read() as database:
        rows = listing.roots(database)
    ahead = [row for row in rows if after is None or row.path > after[0]]
    shown = ahead[: query.limit]
    return root_schemas.RootList(
        items=[root_schema(row, setup.get(row.path), call.services, call.language) for row in shown],
        next=encode_cursor("roots", (shown[-1].path,)) if len(ahead) > len(shown) else None,
        total=len(rows),
    )


def post_root(call: Call) -> Reply:
    body: root_schemas.NewRoot = call.body
    values = {"recursive": body.recursive, "exclude": body.exclude, "protected": body.protected,
              "priority": body.priority, "mode": body.mode}  # fmt: skip
    path = call.services.folders.add_root(path_bytes(body.path), values)
    answer = _changed(call, path)
    location = f"{API}/roots/{answer.root.id}"
    return Reply(json_bytes(answer), "application/json", 201, {"Location": location})


def patch_root(call: Call) -> root_schemas.ChangedRoot:
    body: root_schemas.RootChanges = call.body
    changes = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    path = _path_of(call)
    call.services.folders.change_root(path, changes)
    return _changed(call, path)


def delete_root(call: Call) -> Reply:
    call.services.folders.remove_root(_path_of(call))
    return Reply(b"", "", 204)


def root_schema(
    row: listing.RootRow, setting: RootSetting | None, services: Services, language: str
) -> root_schemas.Root:
    """The schema of a watched folder, with sentences in a language. `setting` is None for a moment after a change of
    comparimg.toml."""
    watch = services.root_watch(row.path)
    by_setting: Any = "" if setting is None else setting.protected_by
    wanted: Any = "auto" if setting is None else setting.mode
    origin: Any = "file" if setting is None else setting.origin
    return root_schemas.Root(
        id=row.id,
        path=path_text(row.path),
        uri=path_uri(row.path),
        origin=origin,
        changed=[] if setting is None else list(setting.changed),
        recursive=True if setting is None else setting.recursive,
        exclude=[] if setting is None else [_showable(pattern) for pattern in setting.exclude],
        wanted_mode=wanted,
        state="online" if row.state == "online" else "offline",
        **fields("reason", row.reason, language, nothing=""),
        mode=watch.mode,
        watched_folders=watch.folders,
        **fields("note", watch.note, language, nothing=""),
        protected=row.protected,
        protected_by=by_setting or ("marker" if row.protected else ""),
        priority=row.priority,
        images=row.images,
        size_bytes=row.size_bytes,
        problems=row.problems,
        away_images=row.away_images,
        skipped=file_types.by_kind(row.skipped),
        walked=optional_time(row.walked_ns),
    )


def warning_fields(problem: Message | None, language: str) -> dict[str, Any]:
    """Why the service cannot change files in a folder, with the remedy; both are empty if it can."""
    remedy = None if problem is None else hint_of(problem)
    return {
        **fields("warning", problem, language, nothing=""),
        "remedy": "" if remedy is None else render(remedy, language),
    }


def _changed(call: Call, path: bytes) -> root_schemas.ChangedRoot:
    with call.store.read() as database:
        row = _row(database, lambda row: row.path == path)
    setting = call.services.folders.roots().get(path)
    problem = None if row.protected else call.services.folders.write_problem(path)
    root = root_schema(row, setting, call.services, call.language)
    return root_schemas.ChangedRoot(root=root, **warning_fields(problem, call.language))


def _path_of(call: Call) -> bytes:
    with call.store.read() as database:
        return _row(database, lambda row: row.id == call.key).path


def _row(database: SqliteDatabase, is_wanted: Any) -> listing.RootRow:
    for row in listing.roots(database):
        if is_wanted(row):
            return row
    raise NotFound("root.unknown_id")


def _showable(pattern: str) -> str:
    return pattern.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


ROUTES = (
    Route(
        "GET", f"{API}/roots", get_roots, "The watched folders", "folders", root_schemas.RootList,
        query=schemas.ListQuery,
    ),
    Route(
        "POST", f"{API}/roots", post_root, "Watch a folder", "folders", root_schemas.ChangedRoot,
        status=201, body=root_schemas.NewRoot, headers={"Location": "Where the folder is"}, errors=(403, 409),
        is_setup=True,
    ),
    Route(
        "PATCH", f"{API}/roots/{{id}}", patch_root,
        "Change how a folder is watched; null restores the value of comparimg.toml", "folders",
        root_schemas.ChangedRoot, key_type=int, body=root_schemas.RootChanges, errors=(403, 409), is_setup=True,
    ),
    Route(
        "DELETE", f"{API}/roots/{{id}}", delete_root,
        "Stop watching a folder; its files are not changed", "folders", status=204, key_type=int,
        errors=(403, 409), is_setup=True,
    ),
)  # fmt: skip
