"""REST: limited searches: detections in some folders, separate from the groups of the library."""

import dataclasses
import os
from typing import Any

import msgspec
from peewee import SqliteDatabase

from index.database.queries import listing
from index.database.queries.group_filter import GroupFilter
from index.database.records import jobs, matches, temporary_roots
from index.model import JobKind
from webui.api import job_schemas, search_schemas
from webui.api.jobs import checked_parameters, job_schema
from webui.routes import API, Call, Reply, Route
from webui.schemas import ListQuery, iso_time, json_bytes, json_safe, path_bytes, path_text, path_uri


def get_searches(call: Call) -> search_schemas.SearchList:
    with call.store.read() as database:
        unwatched = temporary_roots.depths(database)
        items = [
            search_schemas.Search(
                **{
                    **dataclasses.asdict(parameters := matches.load_parameters(row.parameters)),
                    "folders": json_safe(parameters.folders),
                },
                id=row.id,
                finished=iso_time(row.finished_ns),
                temporary=[
                    search_schemas.TemporaryFolder(path=path_text(path), uri=path_uri(path))
                    for path in map(os.fsencode, parameters.folders)
                    if path in unwatched
                ],
                groups=sum(listing.kinds_of_groups(database, GroupFilter(search=row.id)).values()),
            )
            for row in matches.searches(database)
        ]
    return search_schemas.SearchList(items=items, next=None, total=len(items))


def post_search(call: Call) -> Reply:
    """Index the folder if it is not watched, and search in it afterwards."""
    body: search_schemas.NewSearch = call.body
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
    if given["recursive"]:
        # This is the default, which jobs do not store.
        del given["recursive"]
    folder = os.fsdecode(call.services.folders.add_temporary(path_bytes(given.pop("folder")), body.recursive))
    parameters = checked_parameters(call, JobKind.DETECT, {**given, "folders": [folder]})

    def add(database: SqliteDatabase) -> dict[str, Any]:
        now_ns = call.services.now_ns()
        if os.fsencode(folder) in temporary_roots.depths(database):
            jobs.add(database, JobKind.SCAN, {"roots": [folder]}, "user", now_ns)
        return jobs.read(database, jobs.add(database, JobKind.DETECT, parameters, "user", now_ns))

    row = call.store.write(add)
    location = f"{API}/jobs/{row['id']}"
    return Reply(json_bytes(job_schema(row, call.language)), "application/json", 202, {"Location": location})


def delete_search(call: Call) -> Reply:
    def drop(database: SqliteDatabase) -> None:
        matches.drop_search(database, call.key)
        matches.mark_stale(database, temporary_roots.drop_unused(database))

    call.store.write(drop)
    return Reply(b"", "", 204)


ROUTES = (
    Route(
        "GET", f"{API}/searches", get_searches, "The limited search, if there is one", "groups",
        search_schemas.SearchList, query=ListQuery,
    ),
    Route(
        "POST", f"{API}/searches", post_search,
        "Search in any folder, separately from the library; an unwatched folder is indexed for it", "groups",
        job_schemas.Job, status=202, body=search_schemas.NewSearch, errors=(403,),
        headers={"Location": "Where to follow the job"}, is_setup=True,
    ),
    Route(
        "DELETE", f"{API}/searches/{{id}}", delete_search, "Dismiss a limited search; decisions stay", "groups",
        status=204, key_type=int,
    ),
)  # fmt: skip
