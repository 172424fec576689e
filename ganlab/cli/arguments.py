"""`key=value` arguments of the commands, apart from overrides of a training configuration."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ganlab.config.values import METRICS_MEMORY, boolean, memory
from ganlab.errors import ConfigError, nearest
from ganlab.ranks import is_main
from ganlab.record.old_names import refuse_old_names


@dataclass(frozen=True)
class Argument:
    """One argument of a command.

    Args:
        parse: converts the text to a value; raises ValueError if the text is not allowed.
        help: description for help texts and error messages; a noun phrase without final period.
        default: value if the argument is not given; `REQUIRED` if it must be given.
    """

    parse: Callable[[str], Any]
    help: str
    default: Any = None


REQUIRED = object()
TRUST = Argument(
    boolean,
    "true for a run, from someone you trust, that uses code of other packages: it is executed",
    False,
)
METRICS_MEMORY_ARGUMENT = Argument(
    memory,
    "what the work takes in memory, and again on an accelerator, beyond the data and the weights "
    f"of networks; in bytes, or with MiB or GiB (default: {METRICS_MEMORY // 2**20}MiB)",
)


def say_loading(command: str, then: str) -> None:
    """Say on stderr, at once, that a command loads PyTorch, which takes seconds.

    Args:
        command: the command.
        then: what it loads or does next.
    """
    if is_main():
        print(f"ganlab {command}: loading PyTorch, then {then} …", file=sys.stderr, flush=True)


def wants_help(argv: list[str]) -> bool:
    """Whether the user asks for help."""
    return any(text in ("-h", "--help") for text in argv)


def usage(command: str, purpose: str, arguments: Mapping[str, Argument]) -> str:
    """Return the help text of a command."""
    width = max(len(name) for name in arguments) + 1
    lines = [f"{f'{n}=':<{width}}  {a.help}{_default_of(a)}" for n, a in arguments.items()]
    return f"ganlab {command}: {purpose}\n\n" + "\n".join(f"  {line}" for line in lines)


def _default_of(argument: Argument) -> str:
    if argument.default is None or argument.default is REQUIRED:
        return ""
    value = argument.default
    return f" (default: {str(value).lower() if isinstance(value, bool) else value})"


def split_options(
    argv: list[str], arguments: Mapping[str, Argument]
) -> tuple[list[str], list[str]]:
    """Return the positional arguments, and the options as key=value texts for `parse`.

    Options may be written key=value, --key=value or --key value, with dashes for underscores. A
    boolean option may also be a bare --key, which means true.

    Raises:
        ConfigError: an option has no value, or is unknown; the message suggests a known option.
    """
    positional, options, remaining = [], [], iter(argv)
    for text in remaining:
        if not text.startswith("--"):
            # a folder such as outputs/lr=0.1 is positional
            is_option = text[:1] == "~" or ("/" not in text.partition("=")[0] and "=" in text)
            (options if is_option else positional).append(text)
            continue
        key, equals, value = text[2:].partition("=")
        key = key.replace("-", "_")
        if not equals and key in arguments:
            value = "true" if arguments[key].parse is boolean else next(remaining, None)
            if value is None:
                raise ConfigError(f"{text}: needs a value; it is {arguments[key].help}")
        elif not equals:
            raise ConfigError(
                f"{text}: unknown option; allowed {', '.join(arguments)}, or "
                f"{text}=VALUE for a setting of the run.{nearest(key, list(arguments))}"
            )
        options.append(f"{key}={value}")
    return positional, options


def parse(argv: list[str], arguments: Mapping[str, Argument]) -> dict[str, Any]:
    """Return a dict that maps each argument's name to its value.

    An empty value, null and none mean the default.

    Raises:
        ConfigError: a text is not key=value, its key is unknown (the message suggests a known
            key) or given twice, its value is wrong, or a required argument is missing.
    """
    values = {name: argument.default for name, argument in arguments.items()}
    given: set[str] = set()
    for text in argv:
        key, equals, value = text.partition("=")
        if not equals or key not in arguments:
            refuse_old_names([text])
            raise ConfigError(
                f"{text}: unknown argument; allowed {', '.join(arguments)}, each as "
                f"key=value.{nearest(key, list(arguments))}"
            )
        if key in given:
            raise ConfigError(f"{key}: given twice; give it once.")
        given.add(key)
        if value in ("", "null", "none") and values[key] is not REQUIRED:
            continue
        try:
            if not value:
                raise ValueError("received no value")
            values[key] = arguments[key].parse(value)
        except ValueError as error:
            end = "" if str(error).endswith("?") else "."
            raise ConfigError(
                f"{key}: {error}{end} Argument {key}: {arguments[key].help}."
            ) from None
    for name, value in values.items():
        if value is REQUIRED:
            raise ConfigError(f"{name}: missing. Argument {name}: {arguments[name].help}.")
    return values
