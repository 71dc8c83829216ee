"""Who may set the service up: without a token only the users of its own machine, on every route of the kind."""

import pytest

from index.database.store import Store
from support.weblibrary import Daemon, make_client
from webui.api.table import ROUTES
from webui.routes import API, Route
from webui.security import FORWARDING, SAFE_METHODS

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

TOKEN = "s3cret-t0ken"
# What is set up, and, last, what shows or takes any folder of the machine.
SET_UP = ("settings", "roots", "destinations", "schedules")
ANY_FOLDER = {("GET", f"{API}/folders"), ("POST", f"{API}/searches")}


def resource_of(route: Route) -> str:
    return route.path.removeprefix(f"{API}/").split("/")[0]


def sets_up(route: Route) -> bool:
    if (route.method, route.path) in ANY_FOLDER:
        return True
    return resource_of(route) in SET_UP and route.method not in SAFE_METHODS


SETUP_ROUTES = [pytest.param(route, id=f"{route.method} {route.path}") for route in ROUTES if sets_up(route)]
WHERE_OTHERS_MAY_BE = {
    "by a further name": ({"names": ("nas.example",)}, {}),
    **{f"through a proxy ({name})": ({}, {name.removeprefix("HTTP_"): "1.2.3.4"}) for name in FORWARDING},
}


def test_the_routes_of_the_kind_are_those_marked() -> None:
    assert {(route.method, route.path) for route in ROUTES if route.is_setup} == {
        (route.method, route.path) for route in ROUTES if sets_up(route)
    }
    assert {resource_of(route) for route in ROUTES if sets_up(route)} == {*SET_UP, "folders", "searches"}


@pytest.mark.attack("set-up from another machine through a proxy or a further name")
@pytest.mark.parametrize("route", SETUP_ROUTES)
def test_setting_up_needs_the_token_wherever_others_may_be(store: Store, daemon: Daemon, route: Route) -> None:
    path = route.path.replace("{id}", "1")
    for where, (web, headers) in WHERE_OTHERS_MAY_BE.items():
        refused = make_client(store, daemon, **web).send(route.method, path, {}, **headers)
        assert (refused.status, refused.error["code"]) == (403, "setup_needs_token"), where
        with_token = make_client(store, daemon, token=TOKEN, **web)
        unknown = with_token.send(route.method, path, {}, **headers)
        assert (unknown.status, unknown.error["code"]) == (401, "token_needed"), where
        known = with_token.send(route.method, path, {}, **headers, Authorization=f"Bearer {TOKEN}")
        assert known.status not in (401, 403), (where, known.json)
    open_address = make_client(store, daemon, host="0.0.0.0", token=TOKEN)
    assert open_address.send(route.method, path, {}).status == 401
    unprotected = make_client(store, daemon, host="0.0.0.0").send(route.method, path, {})
    assert unprotected.error["code"] == "setup_needs_token", "an open address without any token sets nothing up"
    at_home = make_client(store, daemon).send(route.method, path, {})
    assert at_home.status not in (401, 403), at_home.json


def test_what_is_only_looked_at_needs_no_token_through_a_proxy(store: Store, daemon: Daemon) -> None:
    for resource in SET_UP:
        answer = make_client(store, daemon).get(f"{API}/{resource}", **{"X-Forwarded-For": "1.2.3.4"})
        assert answer.status == 200, resource
