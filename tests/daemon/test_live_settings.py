"""The settings as the page and the jobs see them, while they are changed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.configuration.config import load
from daemon.live_settings import LiveSettings
from index.database.store import Store
from index.errors import UsageError
from index.model import Depth, DetectParameters


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveSettings]:
    path = tmp_path / "comparimg.toml"
    path.write_text("[detect]\ntolerance = 70\n[web]\ntoken = 'a-token-of-some-length'\n")
    with Store(tmp_path / "data") as store:
        yield LiveSettings(store, load(path, {}))


def test_the_configuration_holds_until_it_is_overridden(live: LiveSettings) -> None:
    assert live.detect_parameters() == DetectParameters(tolerance=70)
    live.change({"detect.hsize": 32, "detect.depth": "thorough"})
    assert live.detect_parameters() == DetectParameters(hsize=32, tolerance=320, depth=Depth.THOROUGH, sized_for=0)
    live.change({"detect.hsize": None, "detect.depth": None})
    assert live.detect_parameters() == DetectParameters(tolerance=70)


def test_settings_have_value_default_origin_and_bounds(live: LiveSettings) -> None:
    settings = {setting.key: setting for setting in live.all_settings()}
    live_keys = {key for key, setting in settings.items() if setting.live}
    assert {key for key in live_keys if not key.startswith("compress.")} == {
        "detect.hsize", "detect.tolerance", "detect.turns", "detect.verify", "detect.depth", "detect.method",
        "sort.rules",
    }  # fmt: skip
    # When it runs is written in the file; all else of a compression may be changed on the page.
    assert {key for key in settings if key.startswith("compress.")} - live_keys == {"compress.schedule"}
    assert (settings["web.port"].value, settings["web.port"].live) == (5000, False)
    assert json.dumps([setting.value for setting in settings.values()])
    tolerance = settings["detect.tolerance"]
    assert (tolerance.value, tolerance.default, tolerance.origin, tolerance.maximum) == (70, 80, "file", 256)
    live.change({"detect.hsize": 8})
    settings = {setting.key: setting for setting in live.all_settings()}
    tolerance = settings["detect.tolerance"]
    assert (tolerance.value, tolerance.default, tolerance.origin, tolerance.maximum) == (20, 20, "default", 64)
    assert (settings["detect.hsize"].origin, settings["detect.hsize"].choices) == ("override", (8, 16, 32))


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
    assert live.keeper_criteria()[0] == "original"


def test_a_secret_is_not_shown(live: LiveSettings) -> None:
    assert "a-token" not in repr(live.all_settings())
