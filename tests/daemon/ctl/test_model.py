"""comparimg-ctl with a model: what `model check` reports and refuses, and what detect and explain do with one."""

import re
from pathlib import Path

import pytest

from index.messages import catalogue
from support import onnx_models as onnx
from support.pictures import photograph, save
from support.terminal import Ctl

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

TOP = Path(__file__).parents[3]


def configured(folder: Path, model: bytes) -> tuple[str, Path]:
    (folder / "model.onnx").write_bytes(model)
    file = folder / "comparimg.toml"
    file.write_text(f'[daemon]\ntime_limit_s = 3\n[model]\nfile = "{folder}/model.onnx"\n')
    return "--config", file


def test_a_sound_file_is_reported(ctl_alone: Ctl, tmp_path: Path) -> None:
    config = configured(tmp_path, onnx.thumbnail_model())
    report = ctl_alone(*config, "model", "check", tmp_path / "model.onnx", "--fit", "crop", "--json").json
    assert (report["dimensions"], report["fit"], report["output"]) == (192, "crop", "embedding")
    assert report["cosine"] < 0.99 and report["milliseconds"] > 0
    shown = ctl_alone(*config, "model", "check", tmp_path / "model.onnx")
    assert shown.code == 0 and "can be used" in shown.out


def test_outputs_that_are_not_used_are_named(ctl_alone: Ctl, tmp_path: Path) -> None:
    nodes = [onnx.node("Flatten", ["image"], ["logits"]), onnx.node("Identity", ["logits"], ["features"])]
    outputs = [onnx.value(name, ["n", 192]) for name in ("logits", "features")]
    config = configured(tmp_path, onnx.model(onnx.graph(nodes, [onnx.value("image", ["n", 3, 8, 8])], outputs)))
    report = ctl_alone(*config, "model", "check", tmp_path / "model.onnx", "--json").json
    assert (report["output"], report["other_outputs"]) == ("logits", ["features"])
    shown = ctl_alone(*config, "model", "check", tmp_path / "model.onnx", "--output", "features")
    assert re.search(r"^output +features$", shown.out, re.MULTILINE)
    assert re.search(r"^other_outputs +logits$", shown.out, re.MULTILINE)


@pytest.mark.parametrize("name", ["an absolute path", "an endless loop", "a tensor of 160 GB", "no number", "garbage"])
def test_a_hostile_file_is_refused_with_a_sentence(ctl_alone: Ctl, tmp_path: Path, name: str) -> None:
    config = configured(tmp_path, onnx.HOSTILE[name])
    answer = ctl_alone(*config, "model", "check", tmp_path / "model.onnx")
    assert answer.code == 1 and "cannot be used" in answer.err and "Traceback" not in answer.err


def test_a_wrong_option_is_named(ctl_alone: Ctl, tmp_path: Path) -> None:
    config = configured(tmp_path, onnx.thumbnail_model())
    answer = ctl_alone(*config, "model", "check", tmp_path / "model.onnx", "--std", "0")
    assert answer.code == 2 and "accepted" in answer.err


def test_detect_and_explain_use_the_model_or_say_why_not(ctl_alone: Ctl, tmp_path: Path) -> None:
    config = configured(tmp_path, onnx.thumbnail_model())
    whole = photograph(1)
    width, height = whole.size
    first = save(whole, tmp_path / "photos" / "whole.jpg", quality=92)
    part = whole.crop((0, height // 8, width * 3 // 4, height * 7 // 8))
    second = save(part, tmp_path / "photos" / "part.jpg", quality=92)
    detect = (*config, "detect", tmp_path / "photos", "--data-dir", tmp_path / "data", "--json", "-", "--method")
    assert ctl_alone(*detect, "hash").json["groups"] == []
    found = ctl_alone(*detect, "hash+model").json
    assert found["parameters"]["method"] == "hash+model" and len(found["groups"]) == 1
    report = ctl_alone(*config, "explain", first, second, "--method", "hash+model", "--json").json
    (gate,) = [gate for gate in report["gates"] if gate["name"] == "model"]
    assert gate["passed"] and report["kind"] == "near" and report["evidence"]["cosine"] == gate["value"]
    configured(tmp_path, onnx.HOSTILE["garbage"])
    refused = ctl_alone(*detect, "hash+model")
    assert refused.code == 2 and "model" in refused.err
    assert ctl_alone(*detect, "auto").json["parameters"]["method"] == "hash"


def test_every_gate_has_a_meaning() -> None:
    sources = [*(TOP / "index/imaging/verification").glob("*.py"), TOP / "daemon/processes/verify_task.py"]
    names = {name for file in sources for name in re.findall(r'Gate\("(\w+)"', file.read_text("utf-8"))}
    assert "clipped" in names and {f"gate.{name}" for name in names} <= set(catalogue("en"))
