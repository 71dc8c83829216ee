"""Every setting accepts its default, refuses what it should, and comes back from the index as it went in."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.database.records.setting_overrides import change_overrides, read_overrides
from index.database.schema import Setting as Row
from index.database.store import Store
from index.errors import UsageError
from index.model import default_tolerance
from index.settings import BY_KEY, LIVE, SETTINGS, display_value, is_loopback, merge, setting, suggestion

CONFIGURED = {one.key: one.default for one in SETTINGS} | {"detect.tolerance": 80}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "data") as opened:
        yield opened


def change(store: Store, **changes: Any) -> dict[str, Any]:
    named = {f"detect.{name}": value for name, value in changes.items()}
    return store.write(lambda database: change_overrides(database, CONFIGURED, named))


def test_every_default_is_accepted_and_every_key_explained() -> None:
    assert len(BY_KEY) == len(SETTINGS)
    for one in SETTINGS:
        assert one.help.endswith(".") and one.accepted
        if one.default is not None:
            assert one.check(one.default) == one.default
        if one.choices and one.type != "list":
            assert one.default in one.choices


def test_only_the_file_says_who_is_let_in() -> None:
    assert not {definition.key for definition in LIVE if definition.key.startswith(("web.", "notify.", "workers."))}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("detect.hsize", 12),
        ("detect.hsize", True),
        ("detect.hsize", "16"),
        ("detect.turns", 1),
        ("detect.tolerance", -1),
        ("detect.tolerance", 80.0),
        ("detect.schedule", "often"),
        ("daemon.time_limit_s", math.nan),
        ("daemon.time_limit_s", math.inf),
        ("daemon.data_dir", "a\0b"),
        *(
            ("web.auth_header", name)
            for name in (
                "Remote_User",
                "Remote User",
                "Remote-User:",
                "Host",
                "cookie",
                "Authorization",
                "X-Forwarded-For",
                "Accept",
                "Sec-Fetch-Site",
                "content-type",
                "Forwarded",
                "X-Real-IP",
                "Naïve",
                "a\n",
                "a" * 101,
            )
        ),
        *(
            ("web.auth_proxies", [network])
            for network in (
                "",
                "proxy",
                "172.18.0.2:80",
                "172.18.0.2/33",
                "172.18.0.2/24",
                "fd00::1/64",
                "::ffff:172.18.0.2",
                "*",
                "/run/proxy.sock",
                "unix",
                "172.18.0.2 ",
                "0",
            )
        ),
        ("watch.exclude", "*.tmp"),
        ("watch.exclude", [""]),
        ("watch.exclude", [1]),
        ("sort.rules", ["size", "size"]),
        ("sort.rules", ["beauty"]),
        ("sort.destinations", {"best": 3}),
        ("sort.destinations", {"": "/best"}),
        ("compress.resolution", "1920 x 1080"),
        ("compress.quality", 0),
        ("web.token", "short"),
        ("web.token", "sixteen letters, with spaces"),
        ("web.host", "http://here"),
        ("web.port", 65536),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_accepted(key: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        setting(key).check(value)
    assert caught.value.field == key
    assert f"accepted: {setting(key).accepted}" in str(caught.value)


def test_a_refusal_does_not_show_a_secret() -> None:
    with pytest.raises(UsageError) as caught:
        setting("web.token").check("hunter2")
    assert "hunter2" not in str(caught.value)


def test_the_nearest_key_is_suggested() -> None:
    with pytest.raises(UsageError) as caught:
        setting("detect.hsise")
    assert str(caught.value.hint) == "Did you mean detect.hsize?"
    assert suggestion("zzz", BY_KEY) is None


def test_the_tolerance_scales_with_the_bits() -> None:
    assert [default_tolerance(hsize) for hsize in (8, 16, 32)] == [20, 80, 320]


def test_values_are_shown_as_toml() -> None:
    assert display_value(["a", "b"]) == '["a", "b"]'
    assert display_value({"best": "~/Best"}) == '{"best" = "~/Best"}'
    assert [display_value(True), display_value(3.0), display_value(0.5), display_value("é")] == [
        "true",
        "3",
        "0.5",
        '"é"',
    ]


def test_overrides_come_and_go(store: Store) -> None:
    assert change(store, tolerance=60, turns=False) == {"detect.tolerance": 60, "detect.turns": False}
    assert change(store, turns=None) == {"detect.tolerance": 60}
    with store.read() as database:
        assert read_overrides(database) == {"detect.tolerance": 60}


def test_all_changes_or_none(store: Store) -> None:
    with pytest.raises(UsageError) as caught:
        change(store, turns=False, hsize=9)
    assert caught.value.field == "detect.hsize"
    with store.read() as database:
        assert read_overrides(database) == {}


def test_a_setting_of_the_file_alone_is_not_changed(store: Store) -> None:
    with pytest.raises(UsageError, match="cannot be changed while running"):
        store.write(lambda database: change_overrides(database, CONFIGURED, {"web.port": 80}))
    with pytest.raises(UsageError, match="There is no setting"):
        change(store, colour="red")


def test_a_tolerance_belongs_to_its_hsize(store: Store) -> None:
    change(store, tolerance=60)
    assert change(store, hsize=8) == {"detect.hsize": 8}
    assert merge(CONFIGURED, {"detect.hsize": 8})["detect.tolerance"] == 20
    with pytest.raises(UsageError) as caught:
        change(store, tolerance=65)
    assert caught.value.field == "detect.tolerance"
    assert "0 to 64" in str(caught.value)
    change(store, tolerance=64)
    with pytest.raises(UsageError):
        change(store, hsize=8, tolerance=65)


def test_what_another_version_left_is_passed_over(store: Store) -> None:
    rows = [("detect.hsize", "64"), ("detect.turns", "no json"), ("gone.key", "1"), ("web.port", "80")]
    store.write(lambda database: Row.insert_many([{"key": k, "value": v} for k, v in rows]).execute(database))
    with store.read() as database:
        assert read_overrides(database) == {}


@given(st.dictionaries(st.sampled_from([one.key for one in LIVE]), st.one_of(st.integers(), st.booleans(), st.text())))
def test_what_is_accepted_comes_back_the_same(changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        try:
            kept = setting(key).check(value)
        except UsageError as error:
            assert error.field == key
        else:
            assert setting(key).check(kept) == kept


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("Localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("nas.local", False), ("localhost.evil.org", False)],
)  # fmt: skip
def test_which_addresses_are_this_machines_alone(host: str, here: bool) -> None:
    assert is_loopback(host) is here
