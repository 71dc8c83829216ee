"""comparimg.toml is read whole or refused whole; the shipped file, the documentation and the code say the same."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import memory_budget
from daemon.configuration.config import MOST_BYTES, SECTIONS, Config, _build, describe, find, for_photos, load
from index.errors import ConfigError, UsageError
from index.settings import SETTINGS, display_value

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, and a home, without any configuration of the machine's user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("daemon.configuration.config.SYSTEM_FILE", tmp_path / "etc" / "comparimg.toml")
    return tmp_path


def read(folder: Path, text: str) -> Config:
    path = folder / "conf" / "comparimg.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return load(path, {})


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    assert str(folder / "conf" / "comparimg.toml") in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


def test_without_a_file_the_defaults_hold(folder: Path) -> None:
    config = load(None, {})
    assert config.source is None
    assert config.given == frozenset()
    assert config.watch == ()
    assert config.detect.tolerance == 80
    assert config.daemon.data_dir == folder / "home" / ".local" / "share" / "comparimg"
    assert config.daemon.workers == memory_budget.workers(memory_budget.machine_mb(), len(os.sched_getaffinity(0)))


def test_every_setting_has_its_field() -> None:
    fields = {f"{section}.{name}" for section in SECTIONS for name in _fields(section)}
    assert fields == {setting.key for setting in SETTINGS}


def _fields(section: str) -> tuple[str, ...]:
    annotation = {"watch": "WatchSection"}.get(section, section.title() + "Section")
    struct: Any = getattr(__import__("daemon.configuration.config", fromlist=[annotation]), annotation)
    return struct.__struct_fields__


def test_the_shipped_file_is_complete_and_holds_the_defaults() -> None:
    text = (REPOSITORY / "comparimg.toml").read_text()
    assert load(REPOSITORY / "comparimg.toml", {}).watch == ()
    # The lines left out, taken in: one # before what is TOML, comments having a sentence after it.
    whole = re.sub(r"^# (\[\[watch\]\]|[a-z_]+ = .*)$", r"\1", text, flags=re.MULTILINE)
    values = tomllib.loads(whole)
    values["watch"] = values["watch"][0]
    keys = [f"{section}.{name}" for section, table in values.items() for name in table]
    assert keys == [setting.key for setting in SETTINGS]
    for setting in SETTINGS:
        section, _, name = setting.key.partition(".")
        accepted = "" if setting.type == "bool" else f" Accepted: {setting.accepted}."
        mark = "## " if section == "watch" else "# "
        comment = re.search(rf"((?:^{mark}.*\n)+)(?:# )?{name} = ", text[text.index(f"[{section}]") :], re.MULTILINE)
        assert comment is not None
        assert " ".join(line.removeprefix(mark) for line in comment[1].splitlines()) == setting.help + accepted
        if setting.default is not None:
            assert setting.check(values[section][name]) == setting.default, setting.key


def test_the_documentation_lists_every_setting() -> None:
    text = (REPOSITORY / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (.*?) \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    documented = {key: (default, accepted, meaning) for key, default, accepted, meaning in rows}
    expected = {}
    for setting in SETTINGS:
        default = (
            f"`{display_value(setting.default)}`"
            if setting.default is not None
            else "required"
            if setting.required
            else "calculated"
        )
        expected[setting.key] = (default, str(setting.accepted), setting.help)
    assert documented == expected


def test_a_file_is_read_whole(folder: Path) -> None:
    config = read(
        folder,
        """
        [daemon]
        data_dir = "../state"
        settle_s = 1
        [[watch]]
        path = "~/Pictures"
        protected = true
        exclude = ["*.tmp", "old/*"]
        [[watch]]
        path = "../more"
        mode = "poll"
        [detect]
        hsize = 8
        [sort]
        destinations = {best = "~/Best"}
        """,
    )
    assert config.daemon.data_dir == folder / "state"
    assert config.daemon.settle_s == 1.0
    first, second = config.watch
    assert first.path == bytes(folder / "home" / "Pictures")
    assert (first.protected, first.exclude) == (True, (b"*.tmp", b"old/*"))
    assert (second.path, second.mode) == (bytes(folder / "more"), "poll")
    assert (config.detect.hsize, config.detect.tolerance) == (8, 20)
    assert config.sort.destinations == {"best": bytes(folder / "home" / "Best")}
    assert {"daemon.settle_s", "watch[1].mode", "detect.hsize"} <= config.given


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("[deamon]", "deamon: unknown section. Did you mean daemon?"),
        ("[colours]", "colours: unknown section. accepted: daemon, watch"),
        ("[daemon]\nlgo = 1", "daemon.lgo: unknown key. Did you mean log?"),
        ("[web]\ncolour = 1", "web.colour: unknown key. accepted: host, port"),
        ("detect = 3", "detect: 3 is not a section"),
        ("[detect]\nhsize = 12", "detect.hsize: 12 is not accepted; accepted: 8, 16 or 32."),
        ("[detect]\nhsize = 8\ntolerance = 80", "detect.tolerance: 80 is not accepted; accepted: 0 to 64"),
        ("[detect]\nschedule = 'often'", 'detect.schedule: "often" is not accepted; accepted: "", five cron fields'),
        ("[daemon]\ndata_dir = '~no-one-of-this-name/x'", "daemon.data_dir"),
        ("[watch]\npath = '/a'", "watch: is a single section; accepted: [[watch]]"),
        ("[[watch]]", "watch[0].path: is missing; accepted: a folder."),
        ("[[watch]]\npath = '/a'\n[[watch]]\npath = '/b/../a/'", "watch[1].path: /a is already the folder of watch[0]"),
        ("[[watch]]\npath = '/a'\nmode = 'magic'", 'watch[0].mode: "magic" is not accepted; accepted: auto, native'),
        ("[daemon]\ndata_dir = '/a/b'\n[[watch]]\npath = '/a'", "daemon.data_dir: /a/b is in the watched folder"),
        ("[daemon]\ndata_dir = '/a'\n[[watch]]\npath = '/a'", "watch[0].path: /a is in the data folder /a"),
        ("[web", "is not valid TOML: see line 1, column 5"),
        ("[web]\nport = = 1", "is not valid TOML: see line 2, column 8"),
        ("[web]\nport = 1\nport = 2\n", "is not valid TOML: line 3, column 9 gives a key or section a second time"),
    ],
)
def test_a_problem_is_reported_with_its_place(folder: Path, text: str, beginning: str) -> None:
    reported = problems(folder, text)
    assert len(reported) == 1
    assert reported[0].startswith(beginning)


def test_every_problem_is_reported_at_once(folder: Path) -> None:
    text = "[daemon]\nlog = 'loud'\nworkers = true\n[detect]\nhsize = 9\n[web]\nport = 99999\ntoken = 'abc'\n[[watch]]"
    assert [line.partition(":")[0] for line in problems(folder, text)] == [
        "daemon.log", "daemon.workers", "detect.hsize", "web.port", "web.token", "watch[0].path",
    ]  # fmt: skip


def test_the_same_folder_by_a_symbolic_link_is_the_same(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "link").symlink_to("real")
    assert len(problems(folder, "[[watch]]\npath = '../real'\n[[watch]]\npath = '../link'")) == 1


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("photos/.comparimg-trash", "is in a trash"),
        ("photos/.comparimg-trash/20261125-sort-1", "is in a trash"),
        ("way", "is in a trash"),
        ("photos/.Comparimg-Trash/x", "is in a trash"),
        ("state", "is in the data folder"),
        ("state/views", "is in the data folder"),
        ("to state", "is in the data folder"),
    ],
)
@pytest.mark.parametrize("kind", ["watch", "destination"])
def test_a_trash_or_a_data_folder_is_no_watch_root(folder: Path, root: str, message: str, kind: str) -> None:
    (folder / "photos/.comparimg-trash").mkdir(parents=True)
    (folder / "state/views").mkdir(parents=True)
    (folder / "way").symlink_to("photos/.comparimg-trash")
    (folder / "to state").symlink_to("state")
    text = f"[daemon]\ndata_dir = '{folder}/state'\n"
    text += f"[[watch]]\npath = '{folder}/{root}'" if kind == "watch" else ""
    text += f"[sort]\ndestinations = {{best = '{folder}/{root}'}}" if kind == "destination" else ""
    (problem,) = problems(folder, text)
    assert message in problem
    assert problem.startswith("watch[0].path" if kind == "watch" else "sort.destinations.best")


def test_a_folder_given_at_the_start_is_no_trash_either(folder: Path) -> None:
    (folder / "photos/.comparimg-trash").mkdir(parents=True)
    with pytest.raises(ConfigError, match="is in a trash"):
        for_photos(folder / "photos/.comparimg-trash", None, {})


def test_a_data_folder_reached_by_a_link_is_in_the_watched_one_all_the_same(folder: Path) -> None:
    (folder / "photos/state").mkdir(parents=True)
    (folder / "state").symlink_to("photos/state")
    (problem,) = problems(folder, f"[daemon]\ndata_dir = '{folder}/state'\n[[watch]]\npath = '{folder}/photos'")
    assert "is in the watched folder" in problem


@pytest.mark.parametrize("extra", ["[daemon]\ndata_dir = '/a/.state'", "[daemon]\ndata_dir = '/a/state'"])
def test_a_data_folder_that_is_passed_over_may_lie_in_a_watched_one(folder: Path, extra: str) -> None:
    assert read(folder, extra + "\n[[watch]]\npath = '/a'\nexclude = ['state']").watch


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("/a/safe/best", "is in a protected folder"),
        ("/a/.comparimg-trash/best", "is in a trash"),
        ("/dev/null", "is not a folder"),
        ("/not/there/yet", ""),
        ("/a/safe/open/best", ""),
    ],
)
def test_a_destination_is_where_something_can_be_moved_to(folder: Path, destination: str, message: str) -> None:
    roots = "[[watch]]\npath = '/a'\n[[watch]]\npath = '/a/safe'\nprotected = true\n[[watch]]\npath = '/a/safe/open'"
    reported = problems(folder, f"{roots}\n[sort]\ndestinations = {{best = '{destination}'}}") if message else []
    if message:
        assert [message in problem and problem.startswith("sort.destinations.best") for problem in reported] == [True]
    else:
        assert read(folder, f"{roots}\n[sort]\ndestinations = {{best = '{destination}'}}").sort.destinations


def test_a_token_is_reported_as_set_and_not_shown(folder: Path) -> None:
    config = read(folder, "[web]\nhost = '0.0.0.0'\ntoken = 'a-token-of-some-length'")
    rows = {row["key"]: row["value"] for row in describe(config, {})}
    assert rows["web.token"] == "(set)"


def test_what_cannot_be_read_is_reported(folder: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(folder / "none.toml", {})
    (folder / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load(folder / "latin.toml", {})


@pytest.mark.parametrize("name", ["/dev/zero", "photo.toml"])
def test_no_more_than_a_configuration_can_have_is_read(folder: Path, name: str) -> None:
    (folder / "photo.toml").write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(ConfigError, match="is larger than 1 MB"):
        load(folder / name, {})
    (folder / "photo.toml").write_bytes(b"#" * MOST_BYTES)
    assert load(folder / "photo.toml", {}).given == frozenset()


def test_the_mark_some_editors_begin_a_text_with_is_passed_over(folder: Path) -> None:
    assert read(folder, "\ufeff[web]\r\nport = 8000\r\n").web.port == 8000


def test_a_user_without_a_home_is_asked_for_a_data_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(ConfigError, match=r"daemon\.data_dir: .* is not the home folder of a user"):
        load(None, {})
    assert load(None, {"XDG_DATA_HOME": str(folder)}).daemon.data_dir == folder / "comparimg"


def test_the_first_place_that_has_a_file_is_taken(folder: Path) -> None:
    named, user = folder / "named.toml", folder / "xdg" / "comparimg" / "comparimg.toml"
    places = [folder / "etc" / "comparimg.toml", user, folder / "comparimg.toml"]
    environ = {"XDG_CONFIG_HOME": str(folder / "xdg")}
    assert find(None, environ) is None
    for place in places:
        place.parent.mkdir(exist_ok=True, parents=True)
        place.touch()
        assert find(None, environ) == place
    environ["COMPARIMG_CONFIG"] = str(named)
    assert find(None, environ) == named
    assert find(Path("given.toml"), environ) == folder / "given.toml"


def test_the_data_folder_is_where_it_is_usual(folder: Path) -> None:
    environ = {"XDG_DATA_HOME": str(folder / "data")}
    assert load(None, environ).daemon.data_dir == folder / "data" / "comparimg"
    environ["STATE_DIRECTORY"] = "/var/lib/comparimg:/var/lib/other"
    assert load(None, environ).daemon.data_dir == Path("/var/lib/comparimg")


def test_photos_take_the_place_of_the_watched_folders(folder: Path) -> None:
    (folder / "photos").mkdir()
    (folder / "comparimg.toml").write_text("[[watch]]\npath = '/elsewhere'\n[detect]\nhsize = 8")
    config = for_photos(Path("photos"), environ={})
    assert [root.path for root in config.watch] == [bytes(folder / "photos")]
    assert (config.watch_origin, load(None, {}).watch_origin) == ("start", "file")
    assert config.detect.hsize == 8
    with pytest.raises(UsageError, match="There is no folder"):
        for_photos(folder / "none", environ={})


def test_a_folder_whose_name_is_no_utf8(folder: Path) -> None:
    odd = os.fsdecode(bytes(folder) + b"/caf\xe9")
    os.mkdir(odd)
    config = for_photos(Path(odd), environ={})
    assert config.watch[0].path.endswith(b"caf\xe9")
    assert json.dumps(describe(config, {}))


def test_rows_show_where_a_value_comes_from(folder: Path) -> None:
    config = read(folder, "[detect]\nturns = false\ntolerance = 70\n[[watch]]\npath = '/a'\npriority = 2")
    rows = {row["key"]: (row["value"], row["origin"]) for row in describe(config, {"detect.verify": False})}
    assert rows["detect.turns"] == (False, "file")
    assert rows["detect.verify"] == (False, "override")
    assert rows["detect.hsize"] == (16, "default")
    assert rows["detect.tolerance"] == (70, "file")
    assert rows["watch[0].priority"] == (2, "file")
    other = {row["key"]: (row["value"], row["origin"]) for row in describe(config, {"detect.hsize": 32})}
    assert other["detect.tolerance"] == (320, "default")


toml_values: Any = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)


@given(st.sampled_from(SETTINGS), toml_values)
def test_every_value_is_accepted_or_reported(setting: Any, value: Any) -> None:
    section, _, name = setting.key.partition(".")
    table = {name: value} if section != "watch" else {"path": "/a", name: value}
    try:
        config = _build(None, {section: [table] if section == "watch" else table}, {})
    except ConfigError as error:
        assert error.problems
    else:
        assert json.dumps(describe(config, {}), allow_nan=False)
