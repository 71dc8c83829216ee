"""The OpenAPI document: it lists every route and nothing else, and what it promises is kept."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from index.database.records.jobs import OFFERED
from index.database.store import Store
from index.model import Kind, Turn
from support.weblibrary import Daemon, Library, WebClient, draw_picture, jpeg_bytes, make_client
from webui.api.table import ROUTES
from webui.openapi import make_document
from webui.server import Server


def test_the_document_lists_every_route_of_the_api(client: WebClient) -> None:
    paths = client.get("/api/v1/openapi.json").json["paths"]
    documented = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    registered = {
        (route.method, re.sub(r"<(\w+)>", r"{\1}", route.rule))
        for route in client.app._bottle.routes
        if route.rule.startswith("/api/v1/") or route.rule in ("/healthz", "/metrics")
    }
    assert documented == registered - {("GET", "/api/v1/openapi.json")}
    assert len(documented) == len(ROUTES)


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = make_document(ROUTES, "1")
    names = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert names <= set(document["components"]["schemas"])


def test_operation_ids_are_all_different() -> None:
    document = make_document(ROUTES, "1")
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_jobs_are_described_with_the_parameters_of_each_kind() -> None:
    document = make_document(ROUTES, "1")
    choices = document["components"]["schemas"]["NewJob"]["oneOf"]
    assert {choice["properties"]["kind"]["const"] for choice in choices} == {str(kind) for kind in OFFERED}


@pytest.fixture
def filled(store: Store, library: Library, daemon: Daemon) -> WebClient:
    library.add_file("a.jpg", jpeg_bytes(draw_picture(1)))
    library.add_file(b"odd \xff name.jpg", jpeg_bytes(draw_picture(1), 60))
    library.add_group(1, (2, Kind.NEAR, 4, Turn.FLIP_HORIZONTAL))
    library.add_problem("broken.jpg")
    return make_client(store, daemon, stream_lifetime_s=0.05)


# Not among them: whether every well-formed value is accepted. A trigger "x" and a made-up cursor are refused with 400.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method,allow_header_conformance"
)


@pytest.mark.slow
def test_the_answer_to_any_request_conforms(filled: WebClient) -> None:
    """Thousands of made-up requests, right and wrong ones: no answer is a 5xx or of another shape than promised."""
    server = Server(filled.app, "127.0.0.1", 0)
    server.start()
    try:
        address = f"http://127.0.0.1:{server.port}"
        completed = subprocess.run(
            [
                *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"),
                *(f"{address}/api/v1/openapi.json", "--url", address, "--checks", CHECKS, "--no-color"),
                *("--phases", "coverage,fuzzing", "--max-examples", "3", "--seed", "1", "--max-time", "12"),
            ],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    finally:
        server.stop()
    assert completed.returncode == 0, completed.stdout[-6000:] + completed.stderr[-2000:]
    assert re.search(r"[1-9]\d* generated", completed.stdout), completed.stdout[-2000:]


def test_the_manual_lists_every_route() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "rest.md").read_text()
    documented = re.findall(r"^\| `([A-Z]+) (/\S+)` \|", manual, re.MULTILINE)
    assert sorted(documented) == sorted((route.method, route.path) for route in ROUTES)
