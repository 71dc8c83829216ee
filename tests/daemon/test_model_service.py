"""The service with a model: hostile, repaired, changed while it runs, and killed while it embeds."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.client import Client
from daemon.configuration.config import Config
from daemon.machine import model_checks
from daemon.machine.checks import Grade
from daemon.service import Service
from index.model import Method
from support import onnx_models as onnx
from support.pictures import photograph, save
from support.program import Program, wait_until_idle
from support.serving import config_over, until

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

PHOTOGRAPHS = 8


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A photograph, a copy, and a part that no hash finds; and others."""
    folder = tmp_path / "photos"
    for seed in range(1, PHOTOGRAPHS):
        save(photograph(seed), folder / f"{seed}.jpg", quality=92)
    whole = photograph(1)
    save(whole, folder / "same.jpg", quality=60)
    width, height = whole.size
    save(whole.crop((0, height // 8, width * 3 // 4, height * 7 // 8)), folder / "cut.jpg", quality=92)
    return folder


def with_model(config: Config, file: Path) -> Config:
    return msgspec.structs.replace(
        config,
        detect=msgspec.structs.replace(config.detect, method=str(Method.HASH_AND_MODEL)),
        model=msgspec.structs.replace(config.model, file=str(file)),
    )


def names(groups: Iterable[Mapping[str, Any]]) -> list[set[str]]:
    return sorted(({Path(image["path"]).name for image in group["images"]} for group in groups), key=sorted)


def found(client: Client) -> list[set[str]]:
    return names(client.get("duplicates")["groups"])


def test_a_hostile_model_leaves_the_hashes_and_a_repaired_one_is_used(tmp_path: Path, photos: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(onnx.HOSTILE["an absolute path"])
    config = with_model(config_over(tmp_path, photos), file)
    with Service(config) as service:
        client = Client(service.address)
        until(lambda: found(client) == [{"1.jpg", "same.jpg"}])
        status = client.get("status")
        assert status["healthy"] and status["model"]["failure_code"] == "model.external_data"
        assert (status["detection"]["method"], status["detection"]["used"]) == ("hash+model", "hash")
        (finding,) = model_checks.model(config)
        assert finding.grade is Grade.WARNING and "other files" in str(finding.message)
        # Another file under the same name, while the service runs; what comes next is the occasion to look.
        file.write_bytes(onnx.thumbnail_model())
        save(photograph(50), photos / "new.jpg", quality=90)
        until(lambda: found(client) == [{"1.jpg", "same.jpg", "cut.jpg"}])
        status = client.get("status")
        assert (status["model"]["failure"], status["model"]["dimensions"]) == ("", 192)
        assert status["detection"]["used"] == "hash+model"
        (finding,) = model_checks.model(config)
        assert finding.grade is Grade.GOOD
        similar = client.get("images/1/similar")
        assert similar["ready"] and similar["items"]


@pytest.mark.slow
@pytest.mark.fault("killed while it embeds")
def test_killed_while_it_embeds(tmp_path: Path, photos: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(onnx.thumbnail_model())
    program = Program(tmp_path, photos)
    text = program.config.read_text().replace('method = "hash"', 'method = "hash+model"')
    program.config.write_text(f'{text}[model]\nfile = "{file}"\n')
    with program.running() as (process, _):
        until(lambda: bool(program.contents()) and _vectors(program) > 0)
        process.kill()
        process.wait()
    program.check_index()
    kept = _vectors(program)
    with program.running() as (_, address):
        wait_until_idle(address)
        assert found(Client(address)) == [{"1.jpg", "same.jpg", "cut.jpg"}]
    program.check_index()
    assert _vectors(program) == PHOTOGRAPHS + 1 >= kept


def _vectors(program: Program) -> int:
    if not program.ask("SELECT 1 FROM sqlite_master WHERE name = 'vector'"):
        return 0
    return int(program.ask("SELECT count(*) FROM vector")[0][0])
