"""What comparimg-ctl says before it empties the trash."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from daemon.ctl import sorting
from daemon.ctl.main import register_all


class Api:
    """A service with one file to delete, one that the machine has not run long enough for, and one last copy."""

    def pages(self, resource: str) -> list[dict[str, Any]]:
        assert resource == "trash"
        trashed = (datetime.now(UTC) - timedelta(days=40)).isoformat()
        line = {"trashed": trashed, "age_days": 40.0, "bytes": 1000, "last_copy": False}
        return [line, {**line, "age_days": 3.0}, {**line, "last_copy": True}]


@pytest.mark.parametrize(("days", "deleted", "stay"), [("30", "1 file ", 2), ("0", "3 files ", 0)])
def test_a_dry_run_counts_the_files_that_stay_and_says_why(
    monkeypatch: pytest.MonkeyPatch, days: str, deleted: str, stay: int
) -> None:
    monkeypatch.setattr(sorting, "client", lambda context: Api())
    said = (
        CliRunner()
        .invoke(register_all(), ["trash", "empty", "--dry-run", "--older-than", days], env={"LC_ALL": "C"})
        .output
    )
    assert said.startswith(deleted)
    assert said.count("1 other file would stay") == stay
    assert ("no other copy of the picture" in said, "has not run for that long" in said) == (stay > 0, stay > 0)
