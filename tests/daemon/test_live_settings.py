"""The settings as the page and the jobs see them, while they are changed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.configuration.config import load
from daemon.overrides import LiveSettings
from index.errors import UsageError
from index.model import Depth, DetectParameters
from index.store import Store


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveSettings]:
    path = tmp_path / "comparimg.toml"
    path.write_text("[detect]\ntolerance = 70\n[web]\ntoken = 'a-token-of-some-length'\n")
    with Store(tmp_path / "data") as store:
        yield LiveSettings(store, load(path, {}))


def test_the_configuration_holds_until_it_is_overridden(live: LiveSettings) -> None:
    assert live.detect_parameters() == DetectParameters(tolerance=70)
    live.change({"detect.hsize": 32, "detect.depth": "thorough"})
    assert live.detect_parameters() == DetectParameters(hsize=32, tolerance=320, depth=Depth.THOROUGH)
    live.change({"detect.hsize": None, "detect.depth": None})
    assert live.detect_parameters() == DetectParameters(tolerance=70)


def test_views_tell_value_default_origin_and_bounds(live: LiveSettings) -> None:
    views = {view.key: view for view in live.views()}
    live_keys = {key for key, view in views.items() if view.live}
    assert {key for key in live_keys if not key.startswith("compress.")} == {
        "detect.hsize", "detect.tolerance", "detect.turns", "detect.verify", "detect.depth", "sort.rules",
    }  # fmt: skip
    # When it runs is written in the file; all else of a compression may be changed on the page.
    assert {key for key in views if key.startswith("compress.")} - live_keys == {"compress.schedule"}
    assert (views["web.port"].value, views["web.port"].live) == (5000, False)
    assert json.dumps([view.value for view in views.values()])
    tolerance = views["detect.tolerance"]
    assert (tolerance.value, tolerance.default, tolerance.origin, tolerance.maximum) == (70, 80, "file", 256)
    live.change({"detect.hsize": 8})
    views = {view.key: view for view in live.views()}
    tolerance = views["detect.tolerance"]
    assert (tolerance.value, tolerance.default, tolerance.origin, tolerance.maximum) == (20, 20, "default", 64)
    assert (views["detect.hsize"].origin, views["detect.hsize"].choices) == ("override", (8, 16, 32))


def test_a_refused_change_changes_nothing(live: LiveSettings) -> None:
    with pytest.raises(UsageError):
        live.change({"detect.turns": False, "detect.tolerance": 1000})
    assert live.overrides() == {}


def test_the_order_of_the_criteria_holds_at_once(live: LiveSettings) -> None:
    live.change({"sort.rules": ["age", "resolution"]})
    assert live.keeper_criteria() == ("age", "resolution")
    for wrong in (["age", "age"], ["chance"], [], "age"):
        with pytest.raises(UsageError):
            live.change({"sort.rules": wrong})
    live.change({"sort.rules": None})
    assert live.keeper_criteria()[0] == "whole"


def test_a_secret_is_not_shown(live: LiveSettings) -> None:
    assert "a-token" not in repr(live.views())
