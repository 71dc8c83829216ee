"""REST: rules, looked at before they decide, applied, and taken back as a whole."""

import json

from msgspec import UNSET

from index.errors import UsageError
from index.grouping.keeper import CRITERIA
from index.grouping.rules import USUAL_KINDS, Rule
from index.model import Choice, Kind
from index.queries import rule_rows
from index.queries.listing import GroupFilter
from index.queries.rule_rows import Effect
from index.records import decisions
from webui import shapes_sorting
from webui.api.decisions import check_destination
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Route
from webui.shapes import ListQuery, iso_time, path_bytes, path_text, tellable


def post_preview(call: Call) -> shapes_sorting.RuleEffect:
    rule, chosen = _rule(call)
    with call.store.read() as database:
        return _shape(rule_rows.preview(database, rule, chosen, call.gone))


def post_apply(call: Call) -> shapes_sorting.RuleEffect:
    rule, chosen = _rule(call)
    return _shape(call.store.write(lambda db: rule_rows.apply(db, rule, chosen, call.services.now_ns())))


def get_orders(call: Call) -> shapes_sorting.OrderList:
    query: ListQuery = call.query
    before = decode_cursor(query.cursor, "orders", (int,))
    with call.store.read() as database:
        found, total = decisions.orders(database, None if before is None else before[0], query.limit + 1)
    shown = found[: query.limit]
    return shapes_sorting.OrderList(
        items=[
            shapes_sorting.Order(
                id=one.id,
                created=iso_time(one.created_ns),
                rule=tellable(json.loads(one.rule)),
                groups=one.groups,
                images=one.images,
                bytes=one.bytes,
                open=one.pending,
            )
            for one in shown
        ],
        next=encode_cursor("orders", (shown[-1].id,)) if len(found) > len(shown) else None,
        total=total,
    )


def delete_order(call: Call) -> shapes_sorting.OrderRevoked:
    return shapes_sorting.OrderRevoked(decisions=call.store.write(lambda db: decisions.revoke_order(db, call.key)))


def _rule(call: Call) -> tuple[Rule, GroupFilter]:
    """The rule of a request, and the groups that it is about. Raises UsageError."""
    body: shapes_sorting.Rule = call.body
    criteria = tuple(call.services.keeper_criteria()) if body.criteria is UNSET else tuple(body.criteria)
    unknown = [name for name in criteria if name not in CRITERIA]
    if unknown or len(set(criteria)) < len(criteria):
        told = f"There is no criterion {unknown[0]!r}." if unknown else "A criterion is named twice."
        raise UsageError(told, f"Accepted: {', '.join(CRITERIA)}.", field="criteria")
    destination = check_destination(body.choice, body.destination, call.services.destinations(), "destination")
    folders = body.folders
    keep, give_way = (b"", b"") if folders is None else (path_bytes(folders.keep), path_bytes(folders.give_way))
    if folders is not None and not (keep.startswith(b"/") and give_way.startswith(b"/")):
        raise UsageError("Both folders must be named in full, beginning with /.", field="folders")
    if folders is not None and keep.rstrip(b"/") == give_way.rstrip(b"/"):
        raise UsageError("A folder cannot give way to itself.", field="folders")
    rule = Rule(
        choice=Choice(body.choice),
        destination=destination,
        criteria=criteria,
        kinds=USUAL_KINDS if body.kinds is UNSET else tuple(dict.fromkeys(Kind(kind) for kind in body.kinds)),
        decides_ties=body.ties == "decide",
        keep=keep,
        give_way=give_way,
    )
    asked = body.filter
    if asked is None:
        return rule, GroupFilter()
    return rule, GroupFilter(root_id=asked.root, path=path_bytes(asked.path))


def _shape(effect: Effect) -> shapes_sorting.RuleEffect:
    def image(told: tuple[int, bytes]) -> shapes_sorting.SampleImage:
        return shapes_sorting.SampleImage(id=told[0], path=path_text(told[1]))

    return shapes_sorting.RuleEffect(
        groups=effect.groups,
        images=effect.images,
        bytes=effect.bytes,
        undecided_ties=effect.undecided_ties,
        by_criterion=dict(effect.by_criterion),
        sample=[
            shapes_sorting.Sample(
                group=one.key,
                keeper=image(one.keeper),
                victims=[image(victim) for victim in one.victims],
                decided_by=one.decided_by,
                value=one.value,
            )
            for one in effect.sample
        ],
        order=effect.order_id or None,
    )


ROUTES = (
    Route(
        "POST", f"{API}/rules/preview", post_preview, "What a rule would decide", "rules", shapes_sorting.RuleEffect,
        body=shapes_sorting.Rule,
    ),
    Route(
        "POST", f"{API}/rules/apply", post_apply, "Decide by a rule", "rules", shapes_sorting.RuleEffect,
        body=shapes_sorting.Rule,
    ),
    Route(
        "GET", f"{API}/orders", get_orders, "The rules that were applied, the newest first", "rules",
        shapes_sorting.OrderList, query=ListQuery,
    ),
    Route(
        "DELETE", f"{API}/orders/{{id}}", delete_order, "Take back what a rule decided and is not carried out yet",
        "rules", shapes_sorting.OrderRevoked, key_type=int,
    ),
)  # fmt: skip
