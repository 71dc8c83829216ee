"""Columns that hold values of the vocabulary as JSON."""

import json
from typing import Any, Final

from peewee import TextField

from index.messages import Message, of_json, to_json
from index.model import Attachment, CameraRecord, Description

_NO_RECORD: Final = CameraRecord()
_NO_DESCRIPTION: Final = Description()


class MessageField(TextField):
    """A message as JSON (index.messages.to_json), "" for none."""

    def db_value(self, value: Message | None) -> str:
        return to_json(value)

    def python_value(self, value: str) -> Message | None:
        return of_json(value)


class AttachmentsField(TextField):
    """Attachments as a JSON list of [kind, bytes, digest]."""

    def db_value(self, value: tuple[Attachment, ...]) -> str:
        return json.dumps(value) if value else "[]"

    def python_value(self, value: str) -> tuple[Attachment, ...]:
        return attachments_from(value)


def attachments_from(value: str) -> tuple[Attachment, ...]:
    """Attachments as the table has them."""
    return tuple(Attachment(*each) for each in json.loads(value))


class CameraRecordField(TextField):
    """A CameraRecord as a JSON object of what the file has, "{}" for nothing."""

    def db_value(self, value: CameraRecord) -> str:
        return json.dumps(_filled(value, _NO_RECORD), sort_keys=True)

    def python_value(self, value: str) -> CameraRecord:
        filled: Any = {
            name: tuple(each) if isinstance(each, list) else each for name, each in json.loads(value).items()
        }
        return CameraRecord(**filled)


class DescriptionField(TextField):
    """A Description as a JSON object of what is said, "{}" for nothing."""

    def db_value(self, value: Description) -> str:
        return "{}" if value == _NO_DESCRIPTION else json.dumps(_filled(value, _NO_DESCRIPTION))

    def python_value(self, value: str) -> Description:
        return description_from(value)


def description_from(value: str) -> Description:
    """A description as the table has it."""
    if value == "{}":
        return Description()
    said: Any = {name: tuple(each) if isinstance(each, list) else each for name, each in json.loads(value).items()}
    return Description(**said)


def _filled(value: CameraRecord | Description, nothing: CameraRecord | Description) -> dict[str, Any]:
    """The entries of a value that differ from those of `nothing`, by name. asdict would copy them all first."""
    entries = ((name, getattr(value, name)) for name in value.__slots__)
    return {name: entry for name, entry in entries if entry != getattr(nothing, name)}
