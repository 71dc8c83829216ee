"""Vectors: from every form of output, kept in bytes, their signs and cosines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import PictureError
from index.imaging.embedding.vectors import cosines, signs, vector_of


def random(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_every_form_of_output_becomes_one_vector() -> None:
    flat = random((1, 40))
    expected = vector_of(flat)
    assert expected.dtype == np.int8 and np.abs(expected).max() == 127
    np.testing.assert_array_equal(vector_of(flat[0]), expected)
    np.testing.assert_array_equal(vector_of(flat[:, :, None, None]), expected)
    tokens = np.concatenate([flat[:, None], random((1, 9, 40), 1)], axis=1)
    np.testing.assert_array_equal(vector_of(tokens), expected)
    places = np.broadcast_to(flat[:, :, None, None], (1, 40, 7, 7))
    np.testing.assert_array_equal(vector_of(places), expected)


@pytest.mark.parametrize(
    ("output", "code"),
    [
        (random((2, 40)), "model.vector"),
        (np.float32(3), "model.vector"),
        (random((1, 15)), "model.dimensions"),
        (random((1, 4097)), "model.dimensions"),
        (np.full((1, 40), np.nan), "model.not_finite"),
        (np.full((1, 40), np.inf), "model.not_finite"),
        (np.zeros((1, 40)), "model.zero"),
    ],
)
def test_what_is_no_vector_is_refused(output: np.ndarray, code: str) -> None:
    with pytest.raises(PictureError) as refused:
        vector_of(output)
    assert refused.value.message.code == code


@given(st.integers(16, 300), st.integers(0, 2**32 - 1))
def test_the_cosine_of_kept_vectors_is_nearly_that_of_the_outputs(dimensions: int, seed: int) -> None:
    a, b = random((2, dimensions), seed)
    exact = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    kept = [vector_of(one[None]) for one in (a, b)]
    assert abs(cosines(kept[0][None], kept[1])[0] - exact) < 0.02
    assert cosines(kept[0][None], kept[1])[0] == cosines(kept[1][None], kept[0])[0]


def test_a_vector_is_its_own_nearest() -> None:
    rows = np.stack([vector_of(random((1, 4096), seed)) for seed in range(3)])
    assert cosines(rows, rows[1]).argmax() == 1
    assert cosines(rows, rows[1])[1] == 1


def test_signs_fill_words_and_leave_the_rest_clear() -> None:
    rows = np.array([[1] * 70, [-1] * 70, [0] * 69 + [5]], np.int8)
    assert signs(rows).shape == (3, 2)
    assert np.bitwise_count(signs(rows)).sum(axis=1).tolist() == [70, 0, 1]
