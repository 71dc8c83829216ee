"""JSON schemas of settings."""

from typing import Annotated, Any

from msgspec import Meta

from webui.schemas import Answer, Count

Changes = Annotated[
    dict[Annotated[str, Meta(max_length=100)], Any],
    Meta(description="Values by key; null restores the value of the configuration file", min_length=1),
]


class Setting(Answer, frozen=True, kw_only=True):
    key: str
    type: str
    value: Any
    default: Any
    origin: Annotated[str, Meta(description="default, file (comparimg.toml) or override")]
    accepted: Annotated[str, Meta(description="The accepted values, in the requested language")]
    help: str
    live: Annotated[bool, Meta(description="Whether it can be changed here; the others are set in comparimg.toml only")]
    choices: list[Any]
    minimum: float | None
    maximum: float | None


class SettingList(Answer, frozen=True, kw_only=True):
    items: list[Setting]
    next: str | None
    total: Count
