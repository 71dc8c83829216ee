"""Messages to people: a code with parameters, and its wording in each language.

The wordings are in `locale/LANGUAGE.json`, by code. They have the syntax of the page's own texts: `{name}`, and `{n,
one # file, other # files}`. Every error, notice and finding is rendered here, for the page, REST, notices and the
console. Log lines are in English.
"""

import errno
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Union

LANGUAGES: Final = ("en", "fr")
Param = Union[str, int, float, "Message"]

PLACE: Final = re.compile(r"\{(\w+)(?:, one ([^{}]*), other ([^{}]*))?\}")
# A parameter may be a name chosen by a stranger. Characters that move a cursor or cannot be encoded are escaped.
CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
HINT: Final = ".hint"
# The code of a sentence without a wording: from a library, or written by a version without codes.
TEXT: Final = "text"


class Message:
    """A code and its parameters: texts, numbers, or messages, which are rendered in the same language. Immutable."""

    __slots__ = ("code", "params")
    code: str
    params: Mapping[str, Param]

    def __init__(self, code: str, /, **params: object) -> None:
        """Parameters of other types are converted to text."""
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "params", {name: _param(value) for name, value in params.items()})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} of a message cannot be changed")

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_parts, (self.code, self.params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (self.code, self.params) == (other.code, other.params)

    def __hash__(self) -> int:
        return hash((self.code, tuple(sorted(self.params))))

    def __repr__(self) -> str:
        return f"Message({', '.join([repr(self.code), *(f'{name}={value!r}' for name, value in self.params.items())])})"

    def __str__(self) -> str:
        """The sentence in English, for the log."""
        return render(self)


def _param(value: object) -> Param:
    if isinstance(value, Message | str | float) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return str(value)


def _of_parts(code: str, params: Mapping[str, Param]) -> Message:
    return Message(code, **params)


def text(sentence: object) -> Message:
    """A sentence that is the same in every language."""
    return Message(TEXT, text=sentence)


def joined(code: str, messages: Sequence[Message]) -> Message:
    """One or more messages as one. `code` names the wording that joins two of them, with {first} and {rest}."""
    if len(messages) == 1:
        return messages[0]
    middle = len(messages) // 2
    return Message(code, first=joined(code, messages[:middle]), rest=joined(code, messages[middle:]))


def of_os_error(error: OSError) -> Message:
    """The message of an error. This is our own message (index.errors.FileError) if there is one; otherwise that of the
    catalogue for the name of its number; otherwise the system's text."""
    ours = getattr(error, "message", None)
    if isinstance(ours, Message):
        return ours
    name = errno.errorcode.get(error.errno or 0, "")
    sentence = error.strerror or str(error)
    is_usual = not error.strerror or error.strerror == os.strerror(error.errno or 0)
    return Message(f"os.{name}") if is_usual and f"os.{name}" in catalogue("en") else text(sentence)


def hint_of(message: Message) -> Message | None:
    """What to do about a message: the wording of its code with `.hint` appended, None if there is none."""
    code = message.code + HINT
    return Message(code, **message.params) if code in catalogue("en") else None


# Rendering


def render(message: Message, language: str = "en") -> str:
    """The sentence in a language, or in English if there is no such language. A code that is missing in the catalogue,
    as one of another version, is shown with its parameters."""
    wording = catalogue(language if language in LANGUAGES else "en").get(message.code)
    if wording is None:
        params = ", ".join(f"{name}: {_text_of(value, language)}" for name, value in message.params.items())
        return f"{message.code} ({params})" if params else message.code

    def fill(place: re.Match[str]) -> str:
        name, one, other = place.groups()
        value = message.params.get(name, "")
        if one is None:
            return _text_of(value, language)
        is_one = isinstance(value, int | float) and (value == 1 or (language == "fr" and 0 <= value < 2))
        return (one if is_one else other).replace("#", _text_of(value, language))

    return PLACE.sub(fill, wording)


def _text_of(value: Param, language: str) -> str:
    if isinstance(value, Message):
        return render(value, language)
    if isinstance(value, float):
        return f"{value:g}".replace(".", "," if language == "fr" else ".")
    if isinstance(value, int):
        return str(value)
    return CONTROL.sub(lambda letter: repr(letter[0])[1:-1], value)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The wordings of a language by code."""
    path = Path(__file__).parent / "locale" / f"{language}.json"
    wordings: dict[str, str] = json.loads(path.read_text("utf-8"))
    return wordings


# As JSON, in the index and in REST


def to_plain(message: Message) -> dict[str, Any]:
    """The message as plain data: {"code": ..., "params": {...}}."""
    return {"code": message.code, "params": params_to_plain(message)}


def params_to_plain(message: Message) -> dict[str, Any]:
    return {name: to_plain(value) if isinstance(value, Message) else value for name, value in message.params.items()}


def of_plain(plain: Any) -> Message:
    """The message in plain data. Anything that is not a message becomes a message with its text."""
    if isinstance(plain, dict) and isinstance(plain.get("code"), str) and isinstance(plain.get("params"), dict):
        params = {
            str(name): of_plain(value) if isinstance(value, dict) else value for name, value in plain["params"].items()
        }
        return Message(plain["code"], **params)
    return text(plain)


def sentences(plain: Iterable[Any], language: str) -> list[str]:
    """Messages in plain data as sentences in a language."""
    return [render(of_plain(message), language) for message in plain]


def to_json(message: Message | None) -> str:
    """The message as it is stored in a column of the index; "" for None."""
    return "" if message is None else json.dumps(to_plain(message))


def of_json(column: str) -> Message | None:
    """The message in a column, None for ""."""
    if not column:
        return None
    try:
        return of_plain(json.loads(column))
    except ValueError:
        return text(column)


def fields(name: str, message: Message | None, language: str, nothing: str | None = None) -> dict[str, Any]:
    """The fields for a message in an answer of REST: NAME is the sentence, NAME_code and NAME_params are its parts.
    Without a message, these are None and NAME is `nothing`."""
    if message is None:
        return {name: nothing, f"{name}_code": None, f"{name}_params": None}
    sentence = render(message, language)
    return {name: sentence, f"{name}_code": message.code, f"{name}_params": params_to_plain(message)}


def nearest_language(tags: Iterable[str]) -> str:
    """The first of some language tags ("fr-CA", "de", "") for which there is a catalogue, or else English."""
    languages = (preference.lower().replace("_", "-").partition("-")[0] for preference in tags)
    return next((language for language in languages if language in LANGUAGES), LANGUAGES[0])
