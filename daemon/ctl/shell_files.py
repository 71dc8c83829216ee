"""comparimg-ctl completion and manual: shell completions and man pages, generated from the help texts."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

import click
from click.shell_completion import ShellComplete, get_completion_class

from daemon.console_language import console_language
from daemon.ctl.sections import Sectioned, root_program
from daemon.help_language import localize, translated
from daemon.version import VERSION
from index.messages import LANGUAGES

NAME: Final = "comparimg-ctl"
COMPLETE: Final = "_COMPARIMG_CTL_COMPLETE"
# The path of each file below a folder such as /usr/local/share.
MAN_PAGES: Final[Mapping[str, str]] = {"en": f"man/man1/{NAME}.1", "fr": f"man/fr/man1/{NAME}.1"}
COMPLETIONS: Final[Mapping[str, str]] = {
    "bash": f"bash-completion/completions/{NAME}",
    "zsh": f"zsh/site-functions/_{NAME}",
    "fish": f"fish/vendor_completions.d/{NAME}.fish",
}
EXIT_CODES: Final = (
    ("0", "Done."),
    ("1", "All or a part of it failed; see the output."),
    ("2", "Wrong usage, or an error in the configuration."),
    ("3", "No service is running."),
)


def register(program: click.Group) -> None:
    program.add_command(completion)
    program.add_command(manual)


@click.command()
@click.argument("shell", type=click.Choice(tuple(COMPLETIONS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash, in ~/.bashrc: eval "$(comparimg-ctl completion bash)"
    """
    click.echo(completion_script(root_program(context), shell))


@click.command()
@click.pass_context
def manual(context: click.Context) -> None:
    """Print the manual page. To read it: comparimg-ctl manual | man -l -"""
    click.echo(man_page(root_program(context), console_language()), nl=False)


def files(program: Sectioned) -> dict[str, str]:
    """The texts of the manual pages and the completions, by their path below a folder of shared data."""
    scripts = {place: completion_script(program, shell) + "\n" for shell, place in COMPLETIONS.items()}
    pages = {place: man_page(program, language) for language, place in MAN_PAGES.items()}
    localize(program, console_language())
    return {**pages, **scripts}


def completion_script(program: click.Group, shell: str) -> str:
    """The script that a shell reads once. It calls the program at every completion."""
    kind = get_completion_class(shell)
    assert kind is not None
    # The class's own `source` is not used: that of bash starts bash to find its version.
    script = ShellComplete.source(kind(program, {}, NAME, COMPLETE)).strip()
    # In fish, click would cut an explanation, or the name of a file, at its first comma.
    return script.replace('string split ","', 'string split --max 1 ","') if shell == "fish" else script


def man_page(program: Sectioned, language: str = LANGUAGES[0]) -> str:
    """The manual page of a program and all its commands, in the macros of man(7). The help of the program is in this
    language afterwards."""
    localize(program, language)
    return "".join(f"{line}\n" for line in _page(program, partial(translated, language)))


def _page(program: Sectioned, translate: Callable[[str], str]) -> Iterator[str]:
    context = click.Context(program, info_name=NAME)
    yield f'.TH COMPARIMG-CTL 1 "" "ComparImg {VERSION}" "ComparImg"'
    yield f".SH {translate('NAME')}"
    yield rf"comparimg\-ctl \- {_escaped(_purpose(program.help))}"
    yield f".SH {translate('SYNOPSIS')}"
    yield r".B comparimg\-ctl"
    yield translate("[options] command [arguments]")
    yield f".SH {translate('OPTIONS')}"
    yield from _options(program, context)
    for title, names in program.sections():
        yield f".SH {_escaped(translate(title).strip().upper())}"
        for name in names:
            yield from _command(program.commands[name], context, name)
    yield f".SH {translate('EXIT STATUS')}"
    for code, meaning in EXIT_CODES:
        yield from (".TP", f".B {code}", _escaped(translate(meaning)))
    yield f".SH {translate('SEE ALSO')}"
    yield _escaped(translate("The documentation that comes with ComparImg, README.md first."))


def _command(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            yield from _command(command.commands[below], context, below)
        return
    usage = " ".join(command.collect_usage_pieces(context))
    yield rf".SS {_escaped(context.command_path.removeprefix(NAME + ' '))}"
    yield rf".B {_escaped(context.command_path)}"
    yield _escaped(usage)
    for paragraph in (command.help or "").split("\n\n"):
        yield from (".PP", _escaped(" ".join(paragraph.split())))
    yield from _options(command, context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            yield from (".TP", f".B {_escaped(record[0])}", _escaped(record[1] or " "))


def _purpose(text: str | None) -> str:
    """The first sentence of a help text as a phrase."""
    sentence = " ".join((text or "").split("\n\n")[0].split()).rstrip(".")
    return sentence[:1].lower() + sentence[1:]


def _escaped(text: str) -> str:
    """A line that man shows unchanged: no macro at its start, no escape in it, hyphens that can be searched for."""
    return re.sub(r"^([.'])", r"\\&\1", text.replace("\\", r"\e").replace("-", r"\-"))
