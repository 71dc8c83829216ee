"""The JSON schema of the result file, generated from the types that OpenAPI is generated from too.

`make tables` writes it.
"""

import json
import re
from typing import Any

import msgspec

from support.threshold_tables import DOCS
from webui.api.result_schemas import ResultFile

FILE = DOCS / "result-file.schema.json"


def document() -> dict[str, Any]:
    """The schema, JSON Schema 2020-12. Unknown fields are allowed: a later version may add some."""
    schema = msgspec.json.schema(ResultFile)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ComparImg result file, format comparimg/1",
        "$ref": schema["$ref"],
        "$defs": {name: _on_one_line(schema["$defs"][name]) for name in sorted(schema["$defs"])},
    }


def _on_one_line(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition whose description, a docstring, has no line breaks."""
    if "description" not in definition:
        return definition
    return definition | {"description": re.sub(r"\s+", " ", definition["description"])}


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema in which objects have no fields but those described."""
    definitions = {
        name: {**definition, "additionalProperties": False} if "properties" in definition else definition
        for name, definition in schema["$defs"].items()
    }
    return {**schema, "$defs": definitions}


def main() -> None:
    FILE.write_text(json.dumps(document(), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
