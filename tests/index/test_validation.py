"""Sentences for values that do not have their type: they name the field and what it accepts, in both languages."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from index.database.records.jobs import PARAMETERS
from index.messages import LANGUAGES, render
from index.validation import problem_of
from webui.api.table import ROUTES


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    choice: Literal["keep", "trash", "move"]


class Sample(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=0, description="How many")] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    share: Annotated[float | None, Meta(description="Of all")] = None
    sure: Literal[True] = True
    inner: list[Inner] = []
    names: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=2)] = []
    short: Annotated[str, Meta(max_length=3)] = ""
    kinds: Annotated[str, Meta(pattern=r"^((exact|near)(,(exact|near))*)?$")] = ""
    sizes: dict[str, int] = {}
    either: int | str = 0


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"count": -1}, "count", "count must be a whole number, at least 0."),
        ({"limit": 0}, "limit", "limit must be a whole number from 1 to 200."),
        ({"limit": "many"}, "limit", "limit must be a whole number from 1 to 200."),
        ({"share": "x"}, "share", "share must be a number."),
        ({"sure": False}, "sure", "sure must be true."),
        ({"inner": [{"choice": "x"}]}, "inner[0].choice", "inner[0].choice must be keep, move or trash."),
        ({"inner": [{}]}, "inner[0].choice", "inner[0].choice is missing."),
        ({"inner": [{"choise": "x"}]}, "inner[0].choise", "There is no parameter inner[0].choise."),
        ({"inner": 3}, "inner", "inner must be a list."),
        ({"names": ["a", "b", "c"]}, "names", "names must be a list of at most 2 entries."),
        ({"names": [""]}, "names[0]", "names[0] must be a text that is not empty."),
        ({"short": "long"}, "short", "short must be a text of at most 3 characters."),
        ({"kinds": "x"}, "kinds", "kinds must be empty, or one or more of exact, near, separated by commas."),
        ({"sizes": {"a": "b"}}, "sizes[...]", "sizes[...] must be a whole number."),
        ({"either": []}, "either", "either must be a whole number or a text."),
        ({"limits": 3}, "limits", "There is no parameter limits."),
        ([], "", "The request must be a JSON object."),
    ],
)
def test_a_problem_names_the_field_and_what_it_accepts(given: Any, field: str, sentence: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(given, Sample)
    problem = problem_of(raised.value, Sample)
    assert (problem.field, render(problem.message)) == (field, sentence)
    assert "`" not in render(problem.message, "fr")
    assert (problem.hint is not None) == (sentence.startswith("There is no parameter"))


ODD = ("", "x", "x" * 200_000, " ", -1, 10**12, 0.5, None, [], ["x"], [0], {}, {"x": 1}, True)
KINDS = [kind for route in ROUTES for kind in (route.body, route.query) if kind is not None] + list(PARAMETERS.values())


@pytest.mark.parametrize("kind", dict.fromkeys(KINDS), ids=str)
def test_no_message_of_the_library_reaches_a_person(kind: Any) -> None:
    for field in msgspec.structs.fields(kind) if isinstance(kind, type) else ():
        for value in ODD:
            try:
                msgspec.convert({field.encode_name: value}, kind)
            except msgspec.ValidationError as error:
                problem = problem_of(error, kind)
                assert problem.message.code != "value.not_accepted", (field.name, value, str(error))
                assert not any("`" in render(problem.message, language) for language in LANGUAGES)
