"""Pairs to be compared, and pools that lend."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.processes.worker_pool import WorkerPool
from support.lending import Lending, limits
from support.lent_pairs import Pairs


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    return Pairs(tmp_path_factory.mktemp("pairs") / "views", 5, 3)


@pytest.fixture
def lend(tmp_path: Path) -> Iterator[Callable[..., Lending]]:
    """Makes pools that lend."""
    made: list[Lending] = []

    def make(count: int = 1, time_limit_s: float = 20, pool: type[WorkerPool] = WorkerPool, **more: Any) -> Lending:
        folder = tmp_path / f"lending{len(made)}"
        folder.mkdir()
        made.append(Lending(folder, pool(count, limits(time_limit_s)), **more))
        return made[-1]

    yield make
    for lending in made:
        lending.close()
