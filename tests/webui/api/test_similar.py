"""Similar images, and what the page shows of the model."""

import numpy as np
import pytest

from index.database.records import vectors
from index.database.records.vectors import ModelState
from index.imaging.embedding.vectors import cosines
from index.messages import Message
from support.weblibrary import Library, WebClient

STATE = ModelState("", "vector/1 test", 64, 5.0, None, 1)


def vector(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-127, 128, 64, dtype=np.int8)


@pytest.fixture
def described(library: Library) -> list[np.ndarray]:
    """Six images whose vectors turn away from that of the first, step by step; the last has none."""
    first, other = vector(0).astype(float), vector(1).astype(float)
    rows = [np.rint(first * (1 - k / 5) + other * k / 5).astype(np.int8) for k in range(5)]
    for number in range(6):
        content = library.add_content(number)
        library.add_image(content, f"{number}.jpg")
    made = {number + 1: row.tobytes() * 2 for number, row in enumerate(rows)} | {6: b""}
    library.write(lambda db: vectors.store_vectors(db, STATE.key, 2, made))
    library.write(lambda db: vectors.store_model_state(db, STATE))
    return rows


def names(answer: dict) -> list[str]:
    return [item["image"]["path"].rpartition("/")[2] for item in answer["items"]]


def test_the_most_similar_come_first_with_their_cosine(client: WebClient, described: list[np.ndarray]) -> None:
    answer = client.get("/api/v1/images/1/similar?least=-1").json
    assert answer["ready"] is True
    assert names(answer) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    exact = cosines(np.stack(described), described[0])[1:]
    assert [item["cosine"] for item in answer["items"]] == pytest.approx(exact, abs=1e-4)
    assert names(client.get("/api/v1/images/1/similar?limit=2").json) == ["1.jpg", "2.jpg"]
    assert names(client.get("/api/v1/images/1/similar?least=0.99").json) == []


def test_what_has_no_file_or_another_model_is_left_out(
    client: WebClient, library: Library, described: list[np.ndarray]
) -> None:
    library.write(lambda db: db.execute_sql("UPDATE image SET content_id = NULL WHERE id = 2"))
    library.write(lambda db: db.execute_sql("UPDATE vector SET model = 'other' WHERE content_id = 3"))
    assert names(client.get("/api/v1/images/1/similar?least=-1").json) == ["3.jpg", "4.jpg"]


def test_an_image_without_a_vector_is_not_ready(client: WebClient, described: list[np.ndarray]) -> None:
    answer = client.get("/api/v1/images/6/similar").json
    assert (answer["items"], answer["ready"], answer["reason_code"]) == ([], False, "similar.no_vector")
    assert client.get("/api/v1/images/1/similar").json["reason"] == ""
    assert client.get("/api/v1/images/99/similar").status == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("DELETE FROM vector WHERE content_id = 1", "similar.not_yet"),
        ("UPDATE vector SET model = 'vector/1 other'", "similar.not_yet"),
        ("DELETE FROM embedding_model", "similar.no_model"),
    ],
)
def test_what_to_do_about_a_missing_vector(
    client: WebClient, library: Library, described: list[np.ndarray], change: str, code: str
) -> None:
    library.write(lambda db: db.execute_sql("UPDATE content SET detail = 50"))
    library.write(lambda db: db.execute_sql(change))
    answer = client.get("/api/v1/images/1/similar").json
    assert (answer["ready"], answer["reason_code"]) == (False, code)


@pytest.mark.parametrize(
    ("change", "code"), [("detail = 4", "similar.flat"), ("failure = 'damaged'", "similar.unreadable")]
)
def test_a_picture_that_never_gets_a_vector(
    client: WebClient, library: Library, described: list[np.ndarray], change: str, code: str
) -> None:
    library.write(lambda db: db.execute_sql("DELETE FROM vector WHERE content_id = 1"))
    library.write(lambda db: db.execute_sql(f"UPDATE content SET {change} WHERE id = 1"))
    assert client.get("/api/v1/images/1/similar").json["reason_code"] == code


def test_a_failing_model_is_named_instead_of_a_search(
    client: WebClient, library: Library, described: list[np.ndarray]
) -> None:
    failing = ModelState("/m.onnx", "", 0, 0.0, Message("model.ill_formed"), 2)
    library.write(lambda db: vectors.store_model_state(db, failing))
    answer = client.get("/api/v1/images/1/similar").json
    assert answer["reason_code"] == "similar.model_fails" and "not an ONNX model" in answer["reason"]


def test_the_status_says_why_the_model_is_not_used(client: WebClient, library: Library) -> None:
    assert client.get("/api/v1/status").json["model"] is None
    library.write(lambda db: vectors.store_model_state(db, STATE))
    assert client.get("/api/v1/status").json["model"]["failure"] == ""
    failing = ModelState("/m.onnx", "", 0, 0.0, Message("model.external_data"), 2)
    library.write(lambda db: vectors.store_model_state(db, failing))
    model = client.get("/api/v1/status").json["model"]
    assert model["failure_code"] == "model.external_data" and "other files" in model["failure"]
