"""The model on the page: the cosine of a match, similar pictures, the choice of a method, and why none is used."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from index.database.records import jobs, vectors
from index.database.records.vectors import ModelState
from index.messages import Message
from index.model import Kind, Turn
from support.pictures import photograph, save

Open = Callable[..., Page]
Serve = Callable[..., Any]

STATE = ModelState("", "vector/1 test", 32, 5.0, None, 1)


@pytest.mark.parametrize(
    ("locale", "title", "cosine", "fails"),
    [
        ("en-GB", "Similar pictures", "Cosine: 0.93", "The model is not used"),
        ("fr-FR", "Photos ressemblantes", "Cosinus\u00a0: 0,93", "Le modèle n’est pas utilisé"),
    ],
)
def test_what_the_model_found_and_why_it_is_not_used(
    serve: Serve, visit: Open, locale: str, title: str, cosine: str, fails: str
) -> None:
    site = serve()
    library = site.library
    contents = [library.add_content(number) for number in range(3)]
    for number, content in enumerate(contents):
        save(photograph(number, 240, 180), Path(os.fsdecode(library.folder)) / f"IMG_{number}.jpg")
        library.add_image(content, f"IMG_{number}.jpg")
    key = library.add_group(
        contents[0], (contents[1], Kind.NEAR, 90, Turn.NONE), images=2, evidence={"cosine": 0.9312}
    )  # fmt: skip
    rows = np.random.default_rng(1).integers(1, 127, (3, 32), dtype=np.int8)
    made = {content: row.tobytes() for content, row in zip(contents, rows, strict=True)}
    library.write(lambda db: vectors.store_vectors(db, STATE.key, 1, made))
    library.write(lambda db: vectors.store_model_state(db, STATE))
    page = visit(but="Failed to load resource", locale=locale)
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".verdict")).to_contain_text(cosine)
    page.get_by_text(title).click()
    expect(page.locator(".similar li")).to_have_count(2)
    failing = ModelState("/m.onnx", "", 0, 0.0, Message("model.ill_formed"), 2)
    library.write(lambda db: vectors.store_model_state(db, failing))
    page.goto(site.address)
    expect(page.locator(".hero")).to_contain_text(fails)
    page.locator(".hero .actions button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text(fails)
    page.locator("#method").select_option("hash,model")
    page.get_by_role("dialog").locator("button[value=start]").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    with site.store.read() as database:
        assert json.loads(jobs.read(database, 1)["parameters"])["method"] == "hash,model"
