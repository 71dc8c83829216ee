"""The OpenAPI 3.1 document, generated from the table of routes that the app registers."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from index.database.records.jobs import OFFERED, PARAMETERS, setting_of
from webui.api.job_schemas import NewJob
from webui.api.schedule_schemas import NewSchedule
from webui.http_errors import ErrorAnswer
from webui.routes import Route
from webui.schemas import HIGHEST_ID

REFERENCE = "#/components/schemas/{name}"
JSON = "application/json"

DESCRIPTION = """What ComparImg knows and does, for programs. Every error has one shape, every list is wrapped and
paged: give `next` back as `cursor`. `path` is for showing; `uri` is exact, and is taken wherever a path is."""

STATUS_TEXTS = {
    200: "Done",
    201: "Made",
    202: "Queued",
    204: "Done, no content",
    304: "What you have is still right",
    400: "The request is wrong; `field` says where",
    401: "A token is needed",
    403: "The request comes from another site",
    404: "Not there",
    405: "Another method is needed",
    409: "Not in this state of things",
    413: "Too large",
    415: "The body must be JSON",
    421: "The service is not called by this name",
    429: "Too many wrong tokens",
    431: "Headers or address too long",
    500: "A failure inside",
    503: "Not now; try again after Retry-After seconds",
}


def make_document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """The document as plain data."""
    routes = list(routes)
    kinds = [kind for route in routes for kind in (route.answer, route.query, route.body) if kind is not None]
    schemas, components = msgspec.json.schema_components(
        [*kinds, *(PARAMETERS[kind] for kind in OFFERED), ErrorAnswer], ref_template=REFERENCE
    )
    by_kind = {id(kind): schema for kind, schema in zip(kinds, schemas, strict=False)}
    _describe_job_parameters(components)
    used = {name: schema for name, schema in components.items() if not name.endswith("Query")}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_kind, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ComparImg", "version": version, "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": used,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Where a token is configured"}
            },
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: Route, by_kind: Mapping[int, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    statuses = sorted(
        {400, 401, 403, 405, 413, 421, 429, 431, 500, 503, *route.errors, *([404] if route.key_type else [])}
    )
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route, components)],
        "responses": {
            str(route.status): _answer(route, by_kind),
            **{str(status): _error(status) for status in statuses},
        },
    }
    if route.body is not None:
        content = {JSON: {"schema": by_kind[id(route.body)]}}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
        operation["responses"]["415"] = _error(415)
    return operation


def _answer(route: Route, by_kind: Mapping[int, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": STATUS_TEXTS[route.status]}
    if route.answer is not None:
        response["content"] = {JSON: {"schema": by_kind[id(route.answer)]}}
    if route.media_types:
        response.setdefault("content", {}).update({media_type: {} for media_type in route.media_types})
    if route.headers:
        response["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in route.headers.items()
        }
    return response


def _error(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {"description": STATUS_TEXTS[status]}
    if status >= 400:
        response["content"] = {JSON: {"schema": {"$ref": REFERENCE.format(name="ErrorAnswer")}}}
    return response


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    schema: dict[str, Any] = (
        {"type": "integer", "minimum": 1, "maximum": HIGHEST_ID}
        if route.key_type is int
        else {"type": "string", "minLength": 1, "maxLength": 100}
    )
    return [
        {"name": name, "in": "path", "required": True, "schema": schema} for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    component = components[route.query.__name__]
    parameters = []
    for name, schema in component["properties"].items():
        parameter = {"name": name, "in": "query", "schema": _plain(schema)}
        description = schema.get("description")
        parameters.append(parameter | ({"description": description} if description else {}))
    return parameters


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a query parameter, without its description, which OpenAPI puts next to it, and without a default of
    "", which means that the parameter is omitted."""
    hidden = ("description", *(["default"] if schema.get("default") == "" else []))
    return {name: value for name, value in schema.items() if name not in hidden}


def _describe_job_parameters(components: dict[str, Any]) -> None:
    """Add the parameters of each kind of job, and the values they accept, for new jobs and schedules."""
    for kind in OFFERED:
        for name, schema in components[PARAMETERS[kind].__name__]["properties"].items():
            definition = setting_of(kind, name)
            if definition is None:
                continue
            schema["description"] = definition.help
            bounds = {"enum": list(definition.choices), "minimum": definition.minimum, "maximum": definition.maximum}
            for choice in schema.get("anyOf", []):
                if choice.get("type") in ("integer", "number"):
                    choice |= {word: bound for word, bound in bounds.items() if bound not in ([], None)}
    for body in (NewJob, NewSchedule):
        component = components[body.__name__]
        choices = [
            {
                "type": "object",
                "properties": {
                    **component["properties"],
                    "kind": {"const": str(kind)},
                    "parameters": {"$ref": REFERENCE.format(name=parameters.__name__)},
                },
                "required": component["required"],
                "additionalProperties": False,
            }
            for kind, parameters in ((kind, PARAMETERS[kind]) for kind in OFFERED)
        ]
        components[body.__name__] = {"title": body.__name__, "oneOf": choices}
