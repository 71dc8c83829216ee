"""Thresholds: each described, none outside a structure, and the documentation up to date."""

from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from index.imaging.thresholds import Threshold, described, threshold
from support.threshold_tables import DOCS, GENERATED, MODULES, structures, with_block

TOP = Path(__file__).parents[3]
STRUCTURES = [(f"{module}.{name}", structure) for module in MODULES for name, structure in structures(module)]


@dataclass(frozen=True, slots=True)
class Example:
    max_share: float = threshold(0.5, "share of blocks", "Half of them.")


def test_a_threshold_is_its_value_and_has_a_unit_and_a_reason() -> None:
    assert Example().max_share == 0.5
    assert Example(max_share=0.1).max_share == 0.1
    assert list(described(Example(0.25))) == [Threshold("max_share", 0.25, "share of blocks", "Half of them.")]


@pytest.mark.parametrize(("name", "structure"), STRUCTURES)
def test_every_threshold_is_frozen_and_described(name: str, structure: Any) -> None:
    first = fields(structure)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(structure, first, 0)
    assert not hasattr(structure, "__dict__"), "slots"
    assert type(structure).__doc__
    assert all(one.unit and one.reason.endswith(".") for one in described(structure))


def test_every_structure_of_thresholds_is_in_the_documentation() -> None:
    """A module that calls `threshold` and is missing from the list would not be documented."""
    names = set()
    for path in (TOP / "index" / "imaging").rglob("*.py"):
        name = ".".join(path.relative_to(TOP / "index" / "imaging").with_suffix("").parts)
        if name != "thresholds" and "= threshold(" in path.read_text("utf-8"):
            names.add(name)
    assert names == set(MODULES)


def test_every_structure_is_used_by_one_constant() -> None:
    for module in MODULES:
        loaded = import_module(f"index.imaging.{module}")
        defined = {
            value
            for value in vars(loaded).values()
            if isinstance(value, type)
            and value.__module__ == loaded.__name__
            and is_dataclass(value)
            and any("unit" in one.metadata for one in fields(value))
        }
        assert sorted(map(repr, defined)) == sorted(repr(type(structure)) for _, structure in structures(module))


@pytest.mark.parametrize("name", GENERATED)
def test_the_tables_in_the_documentation_are_up_to_date(name: str) -> None:
    file, make = GENERATED[name]
    text = (DOCS / file).read_text("utf-8")
    assert text == with_block(text, name, make()), "run: make tables"
