"""REST: the machines that lend their processors, and the work they did."""

from collections.abc import Mapping

from index.messages import fields
from webui.api import worker_schemas
from webui.routes import API, Call, Route
from webui.schemas import iso_time
from webui.services import Lending, RemoteWorker


def get_workers(call: Call) -> worker_schemas.WorkerList:
    lending = call.services.lending()
    total = sum(lending.home_done.values()) + sum(sum(worker.done.values()) for worker in lending.workers)
    return worker_schemas.WorkerList(
        items=[_worker_schema(worker, total, call.language) for worker in lending.workers],
        listen=lending.address,
        lend=list(lending.lend),
        listening=lending.listening,
        isolated=lending.isolated,
        **fields("problem", lending.problem, call.language, nothing=""),
        home=_home_schema(lending, total),
    )


def _worker_schema(worker: RemoteWorker, total: int, language: str) -> worker_schemas.Worker:
    return worker_schemas.Worker(
        name=worker.name,
        invited=iso_time(worker.invited_ns),
        connected=worker.connected_ns is not None,
        since=None if worker.connected_ns is None else iso_time(worker.connected_ns),
        address=worker.address,
        processes=worker.processes,
        away=worker.away,
        done=_done_schema(worker.done),
        share=_share(worker.done, total),
        came_home=worker.came_home,
        **fields("problem", worker.problem, language, nothing=""),
    )


def _home_schema(lending: Lending, total: int) -> worker_schemas.HomeWork:
    return worker_schemas.HomeWork(
        processes=lending.home_processes,
        done=_done_schema(lending.home_done),
        share=_share(lending.home_done, total),
    )


def _done_schema(done: Mapping[str, int]) -> worker_schemas.WorkDone:
    return worker_schemas.WorkDone(**{name: done.get(name, 0) for name in ("verify", "describe", "embed")})


def _share(done: Mapping[str, int], total: int) -> float:
    return round(sum(done.values()) / total, 4) if total else 0.0


ROUTES = (
    Route(
        "GET", f"{API}/workers", get_workers, "Machines that lend their processors, and the work they did", "status",
        worker_schemas.WorkerList,
    ),
)  # fmt: skip
