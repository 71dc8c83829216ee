"""REST: decide about many groups at once, or clear what is decided about them, and preview that."""

from index.database.queries import bulk_clearing, bulk_decisions
from index.database.queries.bulk_decisions import BulkEffect, BulkRequest
from index.database.records import cleared_decisions
from webui.api import bulk_schemas, group_schemas
from webui.api.decisions import check_destination
from webui.api.groups import group_filter
from webui.routes import API, Call, Reply, Route

CLEAR = "clear"


def post_bulk_preview(call: Call) -> bulk_schemas.BulkEffect:
    request = _request(call)
    with call.store.read() as database:
        if request.action == CLEAR:
            return _schema(bulk_clearing.preview(database, request.chosen, request.keys))
        return _schema(bulk_decisions.preview(database, request, call.gone))


def post_bulk_apply(call: Call) -> bulk_schemas.BulkEffect:
    request, now_ns = _request(call), call.services.now_ns()
    if request.action == CLEAR:
        return _schema(bulk_clearing.apply(call.store.write, request.chosen, request.keys, now_ns))
    return _schema(bulk_decisions.apply(call.store.write, request, now_ns))


def delete_clearing(call: Call) -> Reply:
    cleared_decisions.put_back(call.store.write, call.key)
    return Reply(b"", "", 204)


def _request(call: Call) -> BulkRequest:
    body: bulk_schemas.BulkDecision = call.body
    destination = check_destination(body.action, body.destination, call.services.destinations(), "destination")
    return BulkRequest(
        body.action,
        group_filter(call.query),
        body.groups or None,
        tuple(call.services.keeper_criteria()),
        destination,
    )


def _schema(effect: BulkEffect) -> bulk_schemas.BulkEffect:
    return bulk_schemas.BulkEffect(
        groups=effect.groups,
        images=effect.images,
        bytes=effect.bytes,
        left_open=effect.left_open,
        kinds=dict(effect.kinds),
        order=effect.run_id or None,
        batch=effect.batch or None,
        clearing=effect.clearing or None,
    )


ROUTES = (
    Route(
        "POST", f"{API}/decisions/preview", post_bulk_preview, "What deciding about many groups at once would decide",
        "decisions", bulk_schemas.BulkEffect, query=group_schemas.GroupChoice, body=bulk_schemas.BulkDecision,
        errors=(404,),
    ),
    Route(
        "POST", f"{API}/decisions/apply", post_bulk_apply, "Decide about many groups at once", "decisions",
        bulk_schemas.BulkEffect, query=group_schemas.GroupChoice, body=bulk_schemas.BulkDecision, errors=(404,),
    ),
    Route(
        "DELETE", f"{API}/decisions/cleared/{{id}}", delete_clearing,
        "Make the decisions again that one request cleared; what was decided since stays", "decisions", status=204,
        key_type=int,
    ),
)  # fmt: skip
