"""What exceptions of onnxruntime mean: it has no class of its own for memory that cannot be allocated."""

import pytest

from index.errors import PictureError
from index.imaging.embedding.inference import _failure, _session
from support.onnx_models import HOSTILE


@pytest.mark.parametrize("words", ["Failed to allocate memory for requested buffer of size 4194304", "std::bad_alloc"])
def test_a_model_that_gets_no_memory_needs_more_of_it(words: str) -> None:
    assert _failure("model.not_run", RuntimeError(words)).message.code == "model.out_of_memory"


def test_any_other_failure_is_reported_in_the_words_of_onnxruntime() -> None:
    message = _failure("model.not_run", RuntimeError("invalid dimensions")).message
    assert (message.code, message.params) == ("model.not_run", {"problem": "invalid dimensions"})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a sparse tensor of 40 GB", "Sparse tensor: w dense data size of 40000000000 bytes exceeds"),
        ("a value outside of its sparse tensor", "Sparse tensor: w index is out of bounds."),
        ("a cycle", "This is an invalid model. Graph output (embedding)"),
        ("an unknown operator", "This is an invalid model. In Node"),
    ],
)
def test_what_is_wrong_is_said_first(name: str, said: str) -> None:
    with pytest.raises(PictureError) as caught:
        _session(HOSTILE[name], ["cpu"])
    assert caught.value.message.code == "model.not_loaded"
    assert str(caught.value.message.params["problem"]).startswith(said)
