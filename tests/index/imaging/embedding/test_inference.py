"""What exceptions of onnxruntime mean: it has no class of its own for memory that cannot be allocated."""

import pytest

from index.imaging.embedding.inference import _failure


@pytest.mark.parametrize("words", ["Failed to allocate memory for requested buffer of size 4194304", "std::bad_alloc"])
def test_a_model_that_gets_no_memory_needs_more_of_it(words: str) -> None:
    assert _failure("model.not_run", RuntimeError(words)).message.code == "model.out_of_memory"


def test_any_other_failure_is_reported_in_the_words_of_onnxruntime() -> None:
    message = _failure("model.not_run", RuntimeError("invalid dimensions")).message
    assert (message.code, message.params) == ("model.not_run", {"problem": "invalid dimensions"})
