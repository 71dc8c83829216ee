"""What the doctor says about the model: what the service found, as long as it is about the present file."""

import os
import time
from pathlib import Path

import msgspec
import pytest

from daemon.configuration.config import Config, load
from daemon.machine import model_checks
from daemon.machine.checks import Grade
from index.database.records import setting_overrides, vectors
from index.database.records.vectors import ModelState
from index.database.store import Store
from index.messages import Message, render
from support.serving import write_config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration that names a model, which a service has just checked."""
    (tmp_path / "photos").mkdir()
    loaded = load(write_config(tmp_path, tmp_path / "photos"))
    file = tmp_path / "m.onnx"
    file.write_bytes(b"model")
    changed = msgspec.structs.replace(loaded.model, file=str(file))
    detect = msgspec.structs.replace(loaded.detect, method="auto")
    named = msgspec.structs.replace(loaded, model=changed, detect=detect)
    store(named)
    return named


def store(config: Config, failure: Message | None = None, milliseconds: float = 5.0, path: str | None = None) -> None:
    state = ModelState(
        config.model.file if path is None else path, f"key {milliseconds}", 192, milliseconds, failure,
        time.time_ns() + 10**9,
    )  # fmt: skip
    with Store(config.daemon.data_dir) as opened:
        opened.write(lambda db: vectors.store_model_state(db, state))


def finding(config: Config) -> tuple[Grade, str, str]:
    (found,) = model_checks.model(config)
    assert all(render(one, "fr") for one in (found.message, found.remedy) if one is not None)
    return found.grade, found.message.code, "" if found.remedy is None else str(found.remedy)


def test_a_model_as_it_was_checked(config: Config) -> None:
    assert finding(config)[:2] == (Grade.GOOD, "doctor.model")
    store(config, Message("model.ill_formed"))
    grade, code, remedy = finding(config)
    assert (grade, code) == (Grade.WARNING, "doctor.model_fails")
    assert config.model.file in remedy and "at the next search" in remedy


def test_what_is_known_of_another_file_is_not_claimed_of_this_one(config: Config) -> None:
    os.utime(config.model.file)
    store(config, path="")
    assert finding(config)[:2] == (Grade.NOTE, "doctor.model_unchecked")
    store(config)
    with Store(config.daemon.data_dir) as opened:
        opened.write(lambda db: db.execute_sql("UPDATE embedding_model SET checked_ns = 1"))
    grade, code, remedy = finding(config)
    assert (grade, code) == (Grade.NOTE, "doctor.model_unchecked")
    assert f"comparimg-ctl model check {config.model.file}" in remedy


def test_a_file_that_is_gone_is_reported_before_a_search_misses_it(config: Config) -> None:
    Path(config.model.file).unlink()
    assert finding(config)[:2] == (Grade.WARNING, "doctor.model_gone")


def test_the_setting_of_the_page_decides_whether_a_slow_model_is_used(config: Config) -> None:
    store(config, milliseconds=1000.0)
    assert finding(config)[:2] == (Grade.NOTE, "doctor.model_slow")
    with Store(config.daemon.data_dir) as opened:
        opened.write(
            lambda db: setting_overrides.change_overrides(
                db, {"detect.hsize": 16, "detect.tolerance": 80}, {"detect.method": "hash+model"}
            )
        )
    assert finding(config)[:2] == (Grade.GOOD, "doctor.model")
