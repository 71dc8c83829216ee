"""Models run in worker processes: every form that is of use is taken, and every hostile file costs its slot alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.processes.model_task import NO_VIEW, EmbedTask, ModelTask, check_model, embed_preview
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.errors import PictureError
from index.imaging.embedding import inference
from index.imaging.embedding.model_input import ModelOptions
from index.imaging.embedding.onnx_file import MAX_BYTES
from index.imaging.embedding.vectors import cosines
from index.model import TURNS
from support import onnx_models as onnx
from support.pictures import photograph, save


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(1, WorkerLimits(time_limit_s=3, memory_bytes=2**30)) as opened:
        yield opened


def written(folder: Path, data: bytes, name: str = "model.onnx") -> ModelTask:
    (folder / name).write_bytes(data)
    return ModelTask(str(folder / name), ModelOptions(), "cpu")


@pytest.mark.parametrize("data", onnx.HOSTILE.values(), ids=onnx.HOSTILE)
def test_a_hostile_file_is_refused_and_costs_no_more(tmp_path: Path, pool: WorkerPool, data: bytes) -> None:
    (tmp_path / "beside.bin").write_bytes(b"abcd")
    with pytest.raises(PictureError) as refused:
        pool.call(check_model, written(tmp_path, data))
    assert refused.value.reason in ("model", "timed_out", "crashed", "out_of_memory")
    assert "secret" not in str(refused.value) and "root:" not in str(refused.value)
    # The next one is served.
    assert pool.call(check_model, written(tmp_path, onnx.thumbnail_model(), "good.onnx")).dimensions == 192


def test_what_is_no_file_is_refused(tmp_path: Path, pool: WorkerPool) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    codes = []
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "large", tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(PictureError) as refused:
            pool.call(check_model, ModelTask(str(path), ModelOptions(), "cpu"))
        codes.append(refused.value.message.code)
    assert codes == ["model.unreadable", "model.no_file", "model.too_large", "model.unreadable", "model.no_file"]


def test_products_of_integers_are_summed_as_they_are_on_every_processor(tmp_path: Path) -> None:
    """With AVX2 but without VNNI, onnxruntime adds them in 16 bits unless asked not to."""
    task = written(tmp_path, onnx.sums_of_products())
    white = np.full((1, 3, 8, 8), 255, np.float32)
    assert inference.load(task.path, task.options, task.provider).run(white).tolist() == [[192 * 255 * 127] * 16]


KINDS = {
    "torchvision": onnx.thumbnail_model(metadata={}),
    "a batch of one": onnx.thumbnail_model(count=1),
    "channels last": onnx.thumbnail_model(layout="nhwc"),
    "bytes, channels last": onnx.thumbnail_model(layout="nhwc", element=onnx.UINT8),
    "half precision": onnx.thumbnail_model(element=onnx.FLOAT16),
    "opset 11": onnx.thumbnail_model(opset=11),
    "opset 22": onnx.thumbnail_model(opset=22),
    "free sides": onnx.model(
        onnx.graph(
            [
                onnx.node("AveragePool", ["pixel_values"], ["small"], kernel_shape=[28, 28], strides=[28, 28]),
                onnx.node("Flatten", ["small"], ["embedding"], axis=1),
            ],
            [onnx.value("pixel_values", ["batch", "channels", "height", "width"])],
            [onnx.value("embedding", None)],
        )
    ),
    "places of a map": onnx.model(
        onnx.graph(
            [onnx.node("Conv", ["x", "w"], ["map"], kernel_shape=[4, 4], strides=[4, 4])],
            [onnx.value("x", ["n", 3, 64, 64])],
            [onnx.value("map", ["n", 32, 16, 16])],
            [onnx.tensor("w", np.random.default_rng(1).normal(size=(32, 3, 4, 4)).astype(np.float32))],
        )
    ),
    "tokens and a pooled output": onnx.model(
        onnx.graph(
            [
                onnx.node("Conv", ["pixel_values", "w"], ["map"], kernel_shape=[14, 14], strides=[14, 14]),
                onnx.node("Reshape", ["map", "shape"], ["rows"]),
                onnx.node("Transpose", ["rows"], ["last_hidden_state"], perm=[0, 2, 1]),
                onnx.node("ReduceMean", ["last_hidden_state"], ["pooler_output"], axes=[1], keepdims=0),
            ],
            [onnx.value("pixel_values", ["n", 3, 224, 224])],
            [onnx.value("last_hidden_state", ["n", 256, 48]), onnx.value("pooler_output", ["n", 48])],
            [
                onnx.tensor("w", np.random.default_rng(2).normal(size=(48, 3, 14, 14)).astype(np.float32)),
                onnx.tensor("shape", np.array([0, 48, 256])),
            ],
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_models_of_every_usual_form_are_taken(tmp_path: Path, pool: WorkerPool, data: bytes) -> None:
    report = pool.call(check_model, written(tmp_path, data))
    assert 16 <= report.dimensions <= 4096
    assert report.milliseconds > 0 and report.megabytes > 10


def test_the_key_follows_the_file_and_what_it_is_given(tmp_path: Path, pool: WorkerPool) -> None:
    task = written(tmp_path, onnx.thumbnail_model())
    key = pool.call(check_model, task).key
    other_input = ModelTask(task.path, ModelOptions(fit="crop"), "cpu")
    other_file = written(tmp_path, onnx.thumbnail_model(cells=4), "other.onnx")
    assert pool.call(check_model, task).key == key
    assert len({key, pool.call(check_model, other_input).key, pool.call(check_model, other_file).key}) == 3


def test_a_preview_is_embedded_in_the_turns_asked_for(tmp_path: Path, pool: WorkerPool) -> None:
    task = written(tmp_path, onnx.thumbnail_model())
    picture = photograph(1).resize((300, 200))
    save(picture, tmp_path / "one.jpg", quality=90)
    save(picture.transpose(Image.Transpose.ROTATE_180), tmp_path / "turned.jpg", quality=90)
    one = np.frombuffer(pool.call(embed_preview, EmbedTask(task, str(tmp_path / "one.jpg"), 8)), np.int8)
    turned = np.frombuffer(pool.call(embed_preview, EmbedTask(task, str(tmp_path / "turned.jpg"))), np.int8)
    likeness = cosines(one.reshape(8, -1), turned)
    assert TURNS[int(likeness.argmax())] == "rotate_180" and likeness.max() > 0.99


def test_another_file_than_the_one_checked_and_a_broken_preview_are_refused(tmp_path: Path, pool: WorkerPool) -> None:
    task = written(tmp_path, onnx.thumbnail_model())
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    for view in ("broken.jpg", "none.jpg"):
        with pytest.raises(PictureError) as refused:
            pool.call(embed_preview, EmbedTask(task, str(tmp_path / view)))
        assert refused.value.reason == NO_VIEW
    changed = ModelTask(task.path, task.options, "cpu", b"another")
    with pytest.raises(PictureError) as refused:
        pool.call(embed_preview, EmbedTask(changed, str(tmp_path / "none.jpg")))
    assert refused.value.message.code == "model.changed"


def test_a_provider_that_is_not_there_is_named(tmp_path: Path, pool: WorkerPool) -> None:
    task = written(tmp_path, onnx.thumbnail_model())
    with pytest.raises(PictureError) as refused:
        pool.call(check_model, ModelTask(task.path, task.options, "cuda"))
    assert refused.value.message.code == "model.no_provider"
