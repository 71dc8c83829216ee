"""What a model takes: said by the configuration, the file, or what is usual."""

import pytest

from index.errors import PictureError
from index.imaging.embedding.cosine_limits import USUAL, CosineLimits
from index.imaging.embedding.model_input import (
    USUAL_MEAN,
    USUAL_STD,
    ModelInput,
    ModelOptions,
    limits_of,
    resolve,
)
from index.imaging.embedding.onnx_file import OnnxFile, Tensor, read_structure
from support import onnx_models as onnx

VECTOR = Tensor("embedding", "float32", (None, 256))


def file_of(
    shape: tuple[int | None, ...] | None = (None, 3, 224, 224),
    metadata: dict[str, str] | None = None,
    outputs: tuple[Tensor, ...] = (VECTOR,),
    element: str = "float32",
) -> OnnxFile:
    return OnnxFile((Tensor("x", element, shape),), outputs, metadata or {})


def test_a_file_that_says_nothing_is_taken_as_is_usual() -> None:
    expected = ModelInput(
        "x", "embedding", "float32", 224, 224, "stretch", USUAL_MEAN, USUAL_STD, "nchw", "rgb"
    )  # fmt: skip
    assert resolve(file_of(), ModelOptions()) == expected
    assert resolve(file_of((None, None, None, None)), ModelOptions()) == expected
    assert resolve(file_of(None), ModelOptions()) == expected


def test_the_file_overrides_what_is_usual_and_the_configuration_both() -> None:
    said = {
        "comparimg.size": "96x64", "comparimg.fit": "pad", "comparimg.mean": "127", "comparimg.std": "1,2,3",
        "comparimg.channels": "BGR",
    }  # fmt: skip
    file = file_of((None, 3, None, None), said)
    of_file = resolve(file, ModelOptions())
    assert (of_file.width, of_file.height, of_file.fit, of_file.channels) == (96, 64, "pad", "bgr")
    assert (of_file.mean, of_file.std) == ((127, 127, 127), (1, 2, 3))
    given = resolve(file, ModelOptions(size="32", fit="crop", mean="0", std="255", channels="rgb"))
    assert (given.width, given.height, given.fit, given.channels) == (32, 32, "crop", "rgb")
    assert (given.mean, given.std) == ((0, 0, 0), (255, 255, 255))


def test_the_layout_is_read_from_the_shape() -> None:
    last = resolve(file_of((1, 128, 160, 3)), ModelOptions())
    assert (last.layout, last.width, last.height) == ("nhwc", 160, 128)
    assert resolve(file_of((None, None, None, None)), ModelOptions(layout="nhwc")).layout == "nhwc"


def test_numbers_of_a_byte_are_given_the_pixels_as_they_are() -> None:
    resolved = resolve(file_of((1, 64, 64, 3), element="uint8"), ModelOptions())
    assert (resolved.element, resolved.mean, resolved.std) == ("uint8", (0, 0, 0), (1, 1, 1))


def test_the_output_is_the_first_that_is_a_vector_or_the_one_asked_for() -> None:
    tokens, pooled = Tensor("last_hidden_state", "float32", (None, 257, 384)), Tensor("pooler", "float32", (None, 384))
    file = file_of(outputs=(tokens, pooled))
    assert resolve(file, ModelOptions()).output == "pooler"
    assert resolve(file, ModelOptions(output="last_hidden_state")).output == "last_hidden_state"
    assert resolve(file_of(outputs=(tokens,)), ModelOptions()).output == "last_hidden_state"


def test_the_limits_of_cosines_are_said_by_the_configuration_or_the_file_or_are_usual() -> None:
    file = file_of(metadata={"comparimg.cosines": "0.52, 0.64, 0.6"})
    assert limits_of(file, ModelOptions()) == CosineLimits(first=0.52, further=0.64, passing=0.6)
    assert limits_of(file, ModelOptions(cosines="0.9,0.95,-1")) == CosineLimits(0.9, 0.95, -1)
    assert limits_of(file_of(), ModelOptions()) == USUAL
    assert str(CosineLimits(0.52, 0.64, 0.6)) == "0.52,0.64,0.6"


@pytest.mark.parametrize("text", ["0.5", "0.5,0.6", "0.5,0.6,2", "0.5,0.6,nan", "a,b,c", "0.5,0.6,0.5,0.5", "\x00"])
def test_limits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(PictureError) as refused:
        limits_of(file_of(metadata={"comparimg.cosines": text}), ModelOptions())
    assert refused.value.message.code == "model.value"


REFUSED = {
    "two inputs": (OnnxFile((VECTOR, VECTOR), (VECTOR,), {}), ModelOptions(), "model.inputs"),
    "no picture": (OnnxFile((VECTOR,), (VECTOR,), {}), ModelOptions(), "model.shape"),
    "whole numbers": (file_of(element=""), ModelOptions(), "model.element"),
    "one plane": (file_of((None, 1, 28, 28)), ModelOptions(), "model.shape"),
    "several at once": (file_of((8, 3, 224, 224)), ModelOptions(), "model.shape"),
    "another size": (file_of(), ModelOptions(size="256"), "model.size"),
    "no size": (file_of(None), ModelOptions(size="big"), "model.value"),
    "a huge size": (file_of(None), ModelOptions(size="99999x99999"), "model.value"),
    "an unknown fit": (file_of(metadata={"comparimg.fit": "fold"}), ModelOptions(), "model.value"),
    "a deviation of 0": (file_of(), ModelOptions(std="0"), "model.value"),
    "not a number": (file_of(), ModelOptions(mean="nan"), "model.value"),
    "two numbers": (file_of(), ModelOptions(mean="1,2"), "model.value"),
    "an unknown output": (file_of(), ModelOptions(output="y"), "model.output"),
    "no output": (file_of(outputs=()), ModelOptions(), "model.no_output"),
}


@pytest.mark.parametrize(("file", "options", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_model_of_one_picture_is_refused(file: OnnxFile, options: ModelOptions, code: str) -> None:
    with pytest.raises(PictureError) as refused:
        resolve(file, options)
    assert refused.value.message.code == code


def test_a_built_file_is_understood() -> None:
    resolved = resolve(read_structure(onnx.thumbnail_model(layout="nhwc")), ModelOptions())
    assert (resolved.layout, resolved.width, resolved.mean, resolved.output) == ("nhwc", 32, (127,) * 3, "embedding")
