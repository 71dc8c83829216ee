"""EDGE: sets the language of the help texts of click and argparse.

The English help is in the code, where it documents the commands. `locale/help_fr.json` translates it, and the sentences
of click and argparse. Its keys are the English texts with their lines joined.
"""

import argparse
import inspect
import json
import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import click

# These modules import gettext's functions under these names. A catalogue of gettext would have to be a compiled file.
MODULES: Final = (
    click.core,
    click.decorators,
    click.exceptions,
    click.formatting,
    click.parser,
    click.termui,
    click.types,
    argparse,
)

_original_help: WeakKeyDictionary[click.Command, str | None] = WeakKeyDictionary()
_original_option: WeakKeyDictionary[click.Parameter, tuple[str | None, str | None]] = WeakKeyDictionary()


def set_language(language: str) -> None:
    """Make click and argparse use this language from now on."""
    for module in MODULES:
        for name, function in (("_", translated), ("ngettext", _plural)):
            if hasattr(module, name):
                setattr(module, name, partial(function, language))


def translated(language: str, text: str) -> str:
    """A text in a language, or the English text if there is no translation."""
    return texts(language).get(text) or texts(language).get(joined_lines(text), text)


def joined_lines(text: str) -> str:
    """A help text with each paragraph on one line, so that line breaks in the code do not matter."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def localize(command: click.Command, language: str, parent: click.Context | None = None) -> None:
    """Translate the help of a command, of its parameters and of the commands below it."""
    context = click.Context(command, parent=parent, info_name=command.name, **command.context_settings)
    help_text = _original_help.setdefault(command, command.help)
    command.help = None if help_text is None else translated(language, help_text)
    for parameter in command.get_params(context):
        help_text = parameter.help if isinstance(parameter, click.Option) else None
        help_text, metavar = _original_option.setdefault(parameter, (help_text, parameter.metavar))
        parameter.metavar = metavar
        if isinstance(parameter, click.Option):
            parameter.help = None if help_text is None else translated(language, help_text)
        if not (isinstance(parameter, click.Option) and parameter.is_flag):
            parameter.metavar = texts(language).get(parameter.make_metavar(context), metavar)
    if isinstance(command, click.Group):
        command.subcommand_metavar = translated(language, "COMMAND [ARGS]...")
        for below in command.commands.values():
            localize(below, language, context)


def _plural(language: str, one: str, many: str, n: int) -> str:
    is_one = n < 2 if language == "fr" else n == 1
    return translated(language, one if is_one else many)


@cache
def texts(language: str) -> Mapping[str, str]:
    """The texts of a language by their English text; empty for English itself."""
    path = Path(__file__).parent / "locale" / f"help_{language}.json"
    wordings: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return wordings
