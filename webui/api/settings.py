"""REST: the settings, and the change of those that may change while the service runs."""

import dataclasses

from webui import shapes
from webui.paging import decode_cursor, encode_cursor
from webui.refusals import Refusal
from webui.routes import API, Call, Route


def get_settings(call: Call) -> shapes.SettingList:
    query: shapes.ListQuery = call.query
    after = decode_cursor(query.cursor, "settings", (str,))
    views = list(call.services.settings.views())
    names = [view.key for view in views]
    if after is not None and after[0] not in names:
        raise Refusal(400, "bad_request", "This cursor belongs to no such list.", field="cursor")
    start = 0 if after is None else names.index(after[0]) + 1
    shown = views[start : start + query.limit]
    more = start + len(shown) < len(views)
    return shapes.SettingList(
        items=[
            shapes.Setting(
                key=view.key,
                type=view.type,
                value=view.value,
                default=view.default,
                origin=view.origin,
                accepted=view.accepted,
                help=view.help,
                live=view.live,
                choices=list(view.choices),
                minimum=view.minimum,
                maximum=view.maximum,
            )
            for view in shown
        ],
        next=encode_cursor("settings", (shown[-1].key,)) if more else None,
        total=len(views),
    )


def patch_settings(call: Call) -> shapes.SettingList:
    body: dict[str, object] = call.body
    call.services.settings.change(body)
    return get_settings(dataclasses.replace(call, query=shapes.ListQuery(limit=200), body=None))


ROUTES = (
    Route(
        "GET", f"{API}/settings", get_settings, "Every setting that can be changed, and where its value comes from",
        "settings", shapes.SettingList, query=shapes.ListQuery,
    ),
    Route(
        "PATCH", f"{API}/settings", patch_settings,
        "Change settings by their keys; null goes back to the configuration file", "settings",
        shapes.SettingList, body=shapes.Changes,
    ),
)  # fmt: skip
