"""REST: the machines that do lent work, and their shares."""

from typing import Any

import pytest

from index.database.store import Store
from index.messages import Message
from support.weblibrary import Daemon, WebClient, make_client
from webui.services import Lending, RemoteWorker

WORKERS = "/api/v1/workers"


def client_of(store: Store, daemon: Daemon, lending: Lending) -> WebClient:
    daemon.lending = lending
    return make_client(store, daemon)


def test_nothing_is_lent(client: WebClient) -> None:
    answer = client.get(WORKERS).json
    assert answer["items"] == [] and answer["listen"] == "" and not answer["listening"]
    assert answer["home"]["share"] == 0


@pytest.fixture
def lending() -> Lending:
    return Lending(
        "tls://10.0.0.1:5443", ("verify", "embed"), True, True, None,
        workers=[
            RemoteWorker("desktop", 1, 2, "10.0.0.2", 8, 16, {"verify": 60, "embed": 15}, 1),
            RemoteWorker("<b>", 1, problem=Message("lending.silent")),
        ],
        home_processes=2, home_done={"verify": 25},
    )  # fmt: skip


def test_each_has_its_share(store: Store, daemon: Daemon, lending: Lending) -> None:
    answer: Any = client_of(store, daemon, lending).get(WORKERS).json
    desktop, away = answer["items"]
    assert desktop["share"] == 0.75 and answer["home"]["share"] == 0.25 and away["share"] == 0
    assert desktop["done"] == {"verify": 60, "describe": 0, "embed": 15}
    assert desktop["connected"] and desktop["processes"] == 8 and desktop["came_home"] == 1
    assert not away["connected"] and away["since"] is None
    assert away["problem"] == "It stopped answering." and away["problem_code"] == "lending.silent"
    assert answer["lend"] == ["verify", "embed"] and answer["isolated"]


def test_problems_are_in_the_language_of_the_request(store: Store, daemon: Daemon, lending: Lending) -> None:
    answer: Any = client_of(store, daemon, lending).get(WORKERS, Accept_Language="fr").json
    assert answer["items"][1]["problem"] == "Elle ne répond plus."
