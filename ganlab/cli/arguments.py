"""`key=value` arguments of the commands that do not compose a training configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ganlab.config.values import boolean
from ganlab.errors import ConfigError, nearest


@dataclass(frozen=True)
class Argument:
    """One argument of a command.

    Args:
        parse: text to value; a ValueError means that the text is not allowed.
        help: what it is for, in plain English.
        default: value when it is left out; `REQUIRED` where it may not be.
    """

    parse: Callable[[str], Any]
    help: str
    default: Any = None


REQUIRED = object()


def wants_help(argv: list[str]) -> bool:
    """Whether the user asks for help."""
    return any(text in ("-h", "--help") for text in argv)


def usage(command: str, purpose: str, arguments: Mapping[str, Argument]) -> str:
    """The help of a command."""
    width = max(len(name) for name in arguments) + 1
    lines = [f"{f'{n}=':<{width}}  {a.help}" for n, a in arguments.items()]
    return f"ganlab {command}: {purpose}\n\n" + "\n".join(f"  {line}" for line in lines)


def split_options(
    argv: list[str], arguments: Mapping[str, Argument]
) -> tuple[list[str], list[str]]:
    """Positional arguments, and options as the key=value texts that `parse` takes.

    Options may be written key=value, --key=value or --key value, with dashes for underscores; one
    of true or false may be a bare --key.

    Raises:
        ConfigError: an option without its value, or an unknown one (with the nearest).
    """
    positional, options, waiting = [], [], iter(argv)
    for text in waiting:
        if not text.startswith("--"):
            # not a folder a/b=1
            is_option = text[:1] == "~" or ("/" not in text.partition("=")[0] and "=" in text)
            (options if is_option else positional).append(text)
            continue
        key, equals, value = text[2:].partition("=")
        key = key.replace("-", "_")
        if not equals and key in arguments:
            value = "true" if arguments[key].parse is boolean else next(waiting, None)
            if value is None:
                raise ConfigError(f"{text}: needs a value; it is {arguments[key].help}")
        elif not equals:
            raise ConfigError(
                f"{text}: there is no such option; allowed {', '.join(arguments)}, or "
                f"{text}=VALUE for a setting of the run.{nearest(key, list(arguments))}"
            )
        options.append(f"{key}={value}")
    return positional, options


def parse(argv: list[str], arguments: Mapping[str, Argument]) -> dict[str, Any]:
    """Values by name.

    Raises:
        ConfigError: not key=value, an unknown key (with the nearest), one that is given twice, or a
            wrong value.
    """
    values = {name: argument.default for name, argument in arguments.items()}
    given: set[str] = set()
    for text in argv:
        key, equals, value = text.partition("=")
        if not equals or key not in arguments:
            raise ConfigError(
                f"{text}: there is no such argument; allowed {', '.join(arguments)}, each as "
                f"key=value.{nearest(key, list(arguments))}"
            )
        if key in given:
            raise ConfigError(f"{key}: is given twice; give it once.")
        given.add(key)
        if value in ("", "null", "none") and values[key] is not REQUIRED:
            continue
        try:
            values[key] = arguments[key].parse(value)
        except ValueError as error:
            stop = "" if str(error).endswith(("?", ".")) else "."
            raise ConfigError(f"{key}: {error}{stop} It is {arguments[key].help}") from None
    for name, value in values.items():
        if value is REQUIRED:
            raise ConfigError(f"{name}: missing; {arguments[name].help}")
    return values
