"""REST: the folders of the server that may be watched, and the destinations that images can be moved to."""

import os

from webui import schemas
from webui.api import root_schemas
from webui.api.roots import warning_fields
from webui.routes import API, Call, Reply, Route
from webui.schemas import json_bytes, path_bytes, path_text, path_uri
from webui.services import Destination


def get_folders(call: Call) -> root_schemas.FolderList:
    query: root_schemas.FolderQuery = call.query
    found = call.services.folders.browse(path_bytes(query.under))
    return root_schemas.FolderList(
        under=path_text(found.under),
        under_uri=path_uri(found.under) if found.under else "",
        parent=None if found.parent is None else path_uri(found.parent) if found.parent else "",
        items=[
            root_schemas.Folder(
                path=path_text(entry.path),
                uri=path_uri(entry.path),
                name=path_text(entry.name),
                watched=entry.watched,
            )
            for entry in found.entries
        ],
        offered=found.is_offered,
        cut=found.is_cut,
    )


def get_destinations(call: Call) -> root_schemas.DestinationList:
    items = [_schema(destination) for destination in call.services.folders.destinations()]
    return root_schemas.DestinationList(items=items, next=None, total=len(items))


def post_destination(call: Call) -> Reply:
    body: root_schemas.NewDestination = call.body
    added = call.services.folders.add_destination(body.name, path_bytes(body.path), body.create)
    warning = warning_fields(call.services.folders.write_problem(added.path), call.language)
    answer = root_schemas.ChangedDestination(destination=_schema(added), **warning)
    return Reply(json_bytes(answer), "application/json", 201)


def delete_destination(call: Call) -> Reply:
    call.services.folders.remove_destination(call.key)
    return Reply(b"", "", 204)


def _schema(destination: Destination) -> root_schemas.Destination:
    return root_schemas.Destination(
        name=destination.name,
        path=path_text(destination.path),
        uri=path_uri(destination.path),
        origin="page" if destination.origin == "page" else "file",
        exists=os.path.isdir(destination.path),
    )


ROUTES = (
    Route(
        "GET", f"{API}/folders", get_folders, "The folders of the server that may be watched", "folders",
        root_schemas.FolderList, query=root_schemas.FolderQuery, errors=(403,), is_setup=True,
    ),
    Route(
        "GET", f"{API}/destinations", get_destinations, "The named folders that images can be moved to", "folders",
        root_schemas.DestinationList, query=schemas.ListQuery,
    ),
    Route(
        "POST", f"{API}/destinations", post_destination, "Add a destination that images can be moved to", "folders",
        root_schemas.ChangedDestination, status=201, body=root_schemas.NewDestination, errors=(403, 409),
        is_setup=True,
    ),
    Route(
        "DELETE", f"{API}/destinations/{{id}}", delete_destination,
        "Forget a destination; its folder and the files in it stay", "folders", status=204, key_type=str,
        errors=(403, 409), is_setup=True,
    ),
)  # fmt: skip
