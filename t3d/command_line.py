"""A command line out of Python functions: their signatures are the options, their docstrings the help."""

import argparse
import difflib
import inspect
import os
import typing
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any, NoReturn

from t3d.errors import T3DError
from t3d.flag import flag

Command = Callable[..., None]


def run_command(commands: Sequence[Command], arguments: Sequence[str], *, program: str, about: str) -> None:
    """Call the function that the first argument names with the options that follow.

    Options are written ``--out_dir X``, ``--out-dir X`` or ``--out_dir=X``; a yes or no also ``--overwrite`` and
    ``--nooverwrite``; arguments that are not keyword-only also without their names, in order. Numbers and yes or no
    become what the function's annotations say, everything else stays the text that was typed. Without arguments the
    help is shown.

    Raises:
        T3DError: a value that is no number or no yes or no where one is wanted.
        SystemExit: after --help with status 0, after wrong usage with status 2 and a message on stderr.
    """
    parser = _Parser(prog=program, description=about, allow_abbrev=False)
    chosen = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    known: dict[str, Command] = {}
    for command in commands:
        lines, helps = _documentation(command)
        name = command.__name__
        known |= dict.fromkeys((name, name.replace("_", "-")), command)
        others = [name.replace("_", "-")] if "_" in name else []
        summary = lines.splitlines()[0].replace("%", "%%")
        own = chosen.add_parser(
            name, aliases=others, help=summary, description=lines, usage=_usage(program, command), allow_abbrev=False
        )
        for parameter in inspect.signature(command).parameters.values():
            _add(own, parameter, helps.get(parameter.name, ""))
    if not arguments:
        parser.print_help()
        return
    asked = known.get(arguments[0])
    values = vars(parser.parse_args(arguments if asked is None else _bare_flags(asked, arguments)))
    command = known[values.pop("command")]
    positional, options = _call(command, values, chosen.choices[command.__name__])
    command(*positional, **options)


class _Parser(argparse.ArgumentParser):
    """argparse that names the nearest option to one that is unknown."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        namespace, unknown = super().parse_known_args(args, namespace)
        for argument in unknown:
            if argument.startswith("--"):
                name = argument.partition("=")[0].replace("-", "_").replace("__", "--", 1)
                close = difflib.get_close_matches(name, self._option_string_actions, n=1)
                self.error(f"{name} is no option" + (f"; did you mean {close[0]}?" if close else ""))
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n{self.prog} --help says more\n")


def _add(parser: argparse.ArgumentParser, parameter: inspect.Parameter, words: str) -> None:
    name, kind = parameter.name, _kind(parameter)
    words = words.replace("%", "%%")
    if parameter.kind is parameter.VAR_POSITIONAL:
        parser.add_argument(name, nargs="*", help=words)
        return
    if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
        parser.add_argument(f"{name} at its place", metavar=name.upper(), nargs="?", help=argparse.SUPPRESS)
    if parameter.default not in (None, inspect.Parameter.empty, ()):
        shown = ",".join(map(str, parameter.default)) if isinstance(parameter.default, tuple) else parameter.default
        words += f" (default: {shown})"
    spelt = list(dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}")))
    if kind is bool:
        parser.add_argument(*spelt, dest=name, nargs="?", const="True", metavar="True|False", help=words)
        no = list(dict.fromkeys((f"--no{name}", f"--no-{name.replace('_', '-')}")))
        parser.add_argument(*no, dest=name, action="store_const", const="False", help=argparse.SUPPRESS)
    else:
        parser.add_argument(*spelt, dest=name, metavar=name.upper(), help=words)


def _bare_flags(command: Command, arguments: Sequence[str]) -> list[str]:
    """The arguments with `=True` after a yes or no that stands alone, so that it takes no file for its value."""
    flags = {
        f"--{spelt}"
        for parameter in inspect.signature(command).parameters.values()
        if _kind(parameter) is bool
        for spelt in (parameter.name, parameter.name.replace("_", "-"))
    }
    following = [*arguments[1:], "True"]
    return [
        f"{one}=True" if one in flags and (then.startswith("-") or "." in then or os.sep in then) else one
        for one, then in zip(arguments, following, strict=True)
    ]


def _call(command: Command, values: dict[str, Any], parser: argparse.ArgumentParser) -> tuple[list, dict[str, Any]]:
    positional, options = [], {}
    for parameter in inspect.signature(command).parameters.values():
        name, value = parameter.name, values[parameter.name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += value
            continue
        placed = values.get(f"{name} at its place")
        if placed is not None and value is not None:
            parser.error(f"{placed!r} is one argument too many: --{name} is given")
        value = placed if value is None else value
        if value is None and parameter.default is parameter.empty:
            parser.error(f"--{name} is needed")
        if value is not None:
            options[name] = _typed(name, _kind(parameter), value)
    return positional, options


def _typed(name: str, kind: type, value: str) -> Any:
    if kind is bool:
        return flag(name, value)
    if kind is str:
        return value
    try:
        return kind(value)
    except ValueError:
        raise T3DError(f"--{name} is {value!r}; give {'a whole number' if kind is int else 'a number'}.") from None


def _kind(parameter: inspect.Parameter) -> type:
    """What the text of an option becomes: int, float, bool, or str where several kinds are possible."""
    kinds = set(typing.get_args(parameter.annotation) or (parameter.annotation,)) - {NoneType}
    kind = kinds.pop() if len(kinds) == 1 else str
    return kind if kind in (int, float, bool) else str


def _documentation(command: Command) -> tuple[str, dict[str, str]]:
    """The text of a docstring before "Args:", and the words after each argument."""
    text, _, arguments = (inspect.getdoc(command) or "").partition("\nArgs:\n")
    helps: dict[str, str] = {}
    name = ""
    for line in arguments.splitlines():
        if line.startswith("     ") and name:
            helps[name] += " " + line.strip()
        elif ":" in line:
            name, _, words = line.strip().partition(":")
            helps[name] = words.strip()
    return text.strip(), helps


def _usage(program: str, command: Command) -> str:
    parts = [program, command.__name__.replace("%", "%%")]
    for parameter in inspect.signature(command).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            parts.append(f"{parameter.name.upper()} ..")
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            parts.append(parameter.name.upper())
        elif parameter.default is parameter.empty:
            parts.append(f"--{parameter.name} {parameter.name.upper()}")
    return " ".join([*parts, "[options]"])
