"""REST: list the settings, and change those that may change while the service runs."""

import dataclasses

from index.messages import render
from webui import schemas
from webui.api import setting_schemas
from webui.http_errors import HttpError
from webui.paging import decode_cursor, encode_cursor
from webui.routes import API, Call, Route


def get_settings(call: Call) -> setting_schemas.SettingList:
    query: schemas.ListQuery = call.query
    after = decode_cursor(query.cursor, "settings", (str,))
    settings = list(call.services.settings.all_settings())
    names = [setting.key for setting in settings]
    if after is not None and after[0] not in names:
        raise HttpError(400, "bad_request", "rest.unknown_cursor", field="cursor")
    start = 0 if after is None else names.index(after[0]) + 1
    shown = settings[start : start + query.limit]
    more = start + len(shown) < len(settings)
    return setting_schemas.SettingList(
        items=[
            setting_schemas.Setting(
                key=setting.key,
                type=setting.type,
                value=setting.value,
                default=setting.default,
                origin=setting.origin,
                accepted=render(setting.accepted, call.language),
                help=setting.help,
                live=setting.live,
                choices=list(setting.choices),
                minimum=setting.minimum,
                maximum=setting.maximum,
            )
            for setting in shown
        ],
        next=encode_cursor("settings", (shown[-1].key,)) if more else None,
        total=len(settings),
    )


def patch_settings(call: Call) -> setting_schemas.SettingList:
    body: dict[str, object] = call.body
    call.services.settings.change(body)
    return get_settings(dataclasses.replace(call, query=schemas.ListQuery(limit=200), body=None))


ROUTES = (
    Route(
        "GET", f"{API}/settings", get_settings, "Every setting, with its value and the origin of the value",
        "settings", setting_schemas.SettingList, query=schemas.ListQuery,
    ),
    Route(
        "PATCH", f"{API}/settings", patch_settings,
        "Change settings by key; null restores the value of the configuration file", "settings",
        setting_schemas.SettingList, body=setting_schemas.Changes, errors=(403,), is_setup=True,
    ),
)  # fmt: skip
