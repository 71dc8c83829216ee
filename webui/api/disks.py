"""REST: absent disks, whose images are kept in the index, and how to forget them."""

from index.database.records import disks
from webui import schemas
from webui.api import disk_schemas
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Reply, Route
from webui.schemas import iso_time, path_text, path_uri


def get_disks(call: Call) -> disk_schemas.DiskList:
    query: schemas.ListQuery = call.query
    before = decode_cursor(query.cursor, "disks", (int, int))
    with call.store.read() as database:
        rows = disks.away_disks(database)
    ahead = [row for row in rows if before is None or (row.seen_ns, row.id) < tuple(before)]
    shown = ahead[: query.limit]
    last = (shown[-1].seen_ns, shown[-1].id) if len(ahead) > len(shown) else None
    return disk_schemas.DiskList(
        items=[
            disk_schemas.AwayDisk(
                id=row.id,
                root=row.root_id,
                path=path_text(row.folder),
                uri=path_uri(row.folder),
                identity=row.identity,
                seen=iso_time(row.seen_ns),
                images=row.images,
                decided=row.decided,
            )
            for row in shown
        ],
        next=encode_cursor("disks", last),
        total=len(rows),
    )


def delete_disk(call: Call) -> Reply:
    call.store.write(lambda database: disks.forget(database, call.key))
    return Reply(b"", "", 204)


ROUTES = (
    Route(
        "GET", f"{API}/disks", get_disks, "Absent disks, and the number of their images that are kept", "status",
        disk_schemas.DiskList, query=schemas.ListQuery,
    ),
    Route(
        "DELETE", f"{API}/disks/{{id}}", delete_disk, "Forget an absent disk, with its images and their decisions",
        "status", status=204, key_type=int,
    ),
)  # fmt: skip
