"""What a setting takes, the parameter of a job that replaces it takes as well, and the other way round: checked by
the service, and promised by the OpenAPI document."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from daemon.ctl.remote import parse_value
from daemon.jobs.compress_plan import request_of
from index.database.records.jobs import OFFERED, PARAMETERS, SECTIONS, CompressParameters, check_parameters, setting_of
from index.errors import UsageError
from index.imaging.encoding.compression import Format
from index.model import JobKind
from index.settings import BY_KEY, LIVE, Setting
from support.weblibrary import WebClient
from webui.api.table import ROUTES
from webui.openapi import make_document

# About what a job is, not how it is done: no setting says that.
OF_THE_JOB = {"folders", "files", "dry_run", "undecided"}
PAIRS = [
    (kind, name, definition)
    for kind in SECTIONS
    for name in PARAMETERS[kind].__struct_fields__
    if (definition := setting_of(kind, name)) is not None
]
# Of every type and just beyond every bound, besides those that a definition names.
ODD: tuple[Any, ...] = (
    "", "x", "jpeg", "JPEG", "high", "fast", "800x600", "800X600", "0x600", "65535x65535", "65536x1", "99999x99999",
    "1920x1080 ", "1\u0663x5", "800x", True, False, 0, 1, 2, -1, 3, 8, 15, 16, 99, 100, 101, 256, 257, 10**6, 10**30,
    0.5, 3.0, -0.0, 1e-9, 1e308, float("nan"), float("inf"), [], ["a"], {}, {"a": 1},
)  # fmt: skip


def candidates(definition: Setting) -> list[Any]:
    bounds = [definition.minimum, definition.maximum]
    near = [int(bound + step) for bound in bounds if bound is not None for step in (-1, 0, 1)]
    return [*ODD, *definition.choices, *near, *([] if definition.default is None else [definition.default])]


def is_taken(check: Callable[..., object], *given: Any) -> bool:
    try:
        check(*given)
    except UsageError:
        return False
    return True


def ids(pair: tuple[JobKind, str, Setting]) -> str:
    return pair[2].key


def test_every_live_setting_of_a_job_is_a_parameter_of_it_and_no_other_is() -> None:
    live = {definition.key for definition in LIVE if definition.key.partition(".")[0] in SECTIONS.values()}
    assert live == {definition.key for _, _, definition in PAIRS}
    others = {name for kind in SECTIONS for name in PARAMETERS[kind].__struct_fields__}
    assert others - {name for _, name, _ in PAIRS} == OF_THE_JOB


@pytest.mark.parametrize("pair", PAIRS, ids=ids)
def test_a_parameter_takes_what_its_setting_takes(pair: tuple[JobKind, str, Setting]) -> None:
    kind, name, definition = pair
    results: dict[str, tuple[bool, bool]] = {}
    for value in candidates(definition):
        results[repr(value)] = is_taken(definition.check, value), is_taken(check_parameters, kind, {name: value})
    assert {value for value, (first, second) in results.items() if first != second} == set()
    assert any(first for first, _ in results.values())
    assert not all(first for first, _ in results.values())


@pytest.mark.parametrize("pair", PAIRS, ids=ids)
def test_the_document_promises_no_less(pair: tuple[JobKind, str, Setting]) -> None:
    """Bounds and choices it gives exactly; what a pattern alone could say is left to the service."""
    kind, name, definition = pair
    components = make_document(ROUTES, "1")["components"]
    schema = components["schemas"][PARAMETERS[kind].__name__]["properties"][name] | {"components": components}
    wrong = set()
    for value in candidates(definition):
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            continue
        promised, taken = jsonschema_rs.is_valid(schema, value), is_taken(definition.check, value)
        # JSON Schema takes 3.0 for a whole number, which TOML and Python distinguish.
        if isinstance(value, float) and definition.type == "int":
            continue
        if promised != taken and not (promised and definition.shape is not None):
            wrong.add((repr(value), promised, taken))
    assert wrong == set()


def test_the_document_offers_every_job_that_is_taken(client: WebClient) -> None:
    for kind in JobKind:
        answer = client.send("POST", "/api/v1/jobs", {"kind": kind.value})
        assert answer.status == (202 if kind in OFFERED else 400)


@pytest.mark.parametrize(("given", "made"), [(None, Format.WEBP), ("", None), ("jpeg", Format.JPEG)])
def test_an_empty_format_keeps_the_format_whatever_the_settings_say(given: str | None, made: Format | None) -> None:
    values = {definition.key: definition.default for definition in BY_KEY.values()}
    values |= {"compress.format": "webp", "compress.target": "high", "compress.colours": 16}
    parameters = {} if given is None else {"format": given, "target": "", "colours": 0}
    checked = check_parameters(JobKind.COMPRESS, parameters)
    assert isinstance(checked, CompressParameters)
    options = request_of(values, checked).options
    assert options.format is made
    assert (options.target is None, options.colours) == ((True, 0) if parameters else (False, 16))


def test_an_empty_parameter_of_the_command_line_is_the_empty_text() -> None:
    assert parse_value("") == ""
    assert msgspec.to_builtins(check_parameters("compress", {"format": parse_value("")})) == {"format": ""}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"tolerance": 257}, "detect.tolerance"), ({"hsize": 8, "tolerance": 65}, "detect.tolerance"),
        ({"hsize": 9}, "parameters.hsize"), ({"depth": "deep"}, "parameters.depth"),
        ({"speed": 1}, "parameters.speed"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("route", ["jobs", "schedules"])
def test_a_wrong_parameter_is_refused_when_it_is_asked_for(
    client: WebClient, route: str, given: dict[str, Any], field: str
) -> None:
    body: dict[str, Any] = {"kind": "detect", "parameters": given}
    if route == "schedules":
        body |= {"name": "n", "trigger": "every 6h"}
    answer = client.send("POST", f"/api/v1/{route}", body)
    assert (answer.status, answer.error["field"]) == (400, field)
    assert client.get(f"/api/v1/{route}").json["total"] == 0


def test_a_group_to_be_sorted_is_a_text(client: WebClient) -> None:
    """It is no path, where bytes that are no UTF-8 are taken."""
    answer = client.send("POST", "/api/v1/jobs", {"kind": "sort", "parameters": {"groups": ["k", "\udcff"]}})
    assert (answer.status, answer.error["field"]) == (400, "parameters.groups")
