"""What a machine's memory means for the processes that decode."""

from pathlib import Path

import pytest

from daemon import memory_budget
from daemon.configuration.config import load


@pytest.mark.parametrize(
    ("machine_mb", "cores", "memory_mb", "workers"),
    [
        (460, 4, 1024, 1), (960, 4, 1024, 1), (1900, 4, 1024, 2), (3800, 4, 1900, 4), (7900, 8, 3950, 8),
        (64_000, 32, 4096, 32), (16_000, 32, 4096, 16),
    ],
)  # fmt: skip
def test_a_small_machine_decodes_with_less(machine_mb: int, cores: int, memory_mb: int, workers: int) -> None:
    assert memory_budget.memory_mb(machine_mb) == memory_mb
    assert memory_budget.workers(machine_mb, cores) == workers


@pytest.mark.parametrize(
    ("limit", "is_less"), [("max\n", False), ("536870912\n", True), ("9" * 19, False), ("", False)]
)
def test_the_limit_of_a_container_counts(tmp_path: Path, limit: str, is_less: bool) -> None:
    path = tmp_path / "memory.max"
    path.write_text(limit)
    whole = memory_budget.machine_mb(())
    assert memory_budget.machine_mb((path, tmp_path / "none")) == (512 if is_less else whole)


def test_what_is_configured_counts(tmp_path: Path) -> None:
    source = tmp_path / "comparimg.toml"
    source.write_text("[daemon]\nmemory_mb = 2000\nworkers = 7\n")
    daemon = load(source).daemon
    assert (daemon.memory_mb, daemon.workers) == (2000, 7)
    source.write_text("")
    daemon = load(source).daemon
    assert daemon.memory_mb == memory_budget.memory_mb(memory_budget.machine_mb())
