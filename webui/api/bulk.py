"""REST: decide about many groups at once, and preview that."""

from index.database.queries import bulk_decisions
from index.database.queries.bulk_decisions import BulkEffect, BulkRequest
from webui.api import bulk_schemas, group_schemas
from webui.api.groups import group_filter
from webui.routes import API, Call, Route


def post_bulk_preview(call: Call) -> bulk_schemas.BulkEffect:
    with call.store.read() as database:
        return _schema(bulk_decisions.preview(database, _request(call), call.gone))


def post_bulk_apply(call: Call) -> bulk_schemas.BulkEffect:
    return _schema(bulk_decisions.apply(call.store.write, _request(call), call.services.now_ns()))


def _request(call: Call) -> BulkRequest:
    body: bulk_schemas.BulkDecision = call.body
    return BulkRequest(
        body.action, group_filter(call.query), body.groups or None, tuple(call.services.keeper_criteria())
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
)  # fmt: skip
