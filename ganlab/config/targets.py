"""Checks of a composed configuration, before any network or data set is built.

Every `_target_` must exist. Its arguments must be in its signature and have the right types, and
no required argument may be missing. `ganlab.config.checks` then builds the described objects.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Union, get_args, get_origin

from ganlab.errors import ConfigError, nearest

_META_KEYS = {"_target_", "_partial_", "_args_", "_recursive_", "_convert_"}


def check_targets(
    config: Any, path: str = "", given: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Check every `_target_` inside a plain, resolved configuration.

    Args:
        config: dicts, lists and scalars.
        path: the path to `config` in the whole configuration, for messages.
        given: maps the path of a `_target_` to the names of the arguments that the program itself
            supplies.

    Raises:
        ConfigError: the message says the path, what was received and what is allowed, and
            suggests the nearest name.
    """
    given = given or {}
    if isinstance(config, Mapping):
        if "_target_" in config:
            _check_call(config, path, given.get(path, ()))
        for key, value in config.items():
            check_targets(value, f"{path}.{key}" if path else str(key), given)
    elif isinstance(config, (list, tuple)):
        for index, value in enumerate(config):
            check_targets(value, f"{path}[{index}]", given)


def check_numbers(node: Any, path: str = "") -> None:
    """Raise for the first NaN, and for the first whole number that takes more than 64 bits.

    Args:
        node: plain containers.
        path: the path to `node` in the whole configuration, for messages.

    Raises:
        ConfigError: the message says the path and what was received.
    """
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            check_numbers(value, f"{path}.{key}" if path else str(key))
    elif node != node:
        raise ConfigError(f"{path}: received {node}; needs a finite number.")
    elif isinstance(node, int) and not -(2**63) <= node < 2**63:
        raise ConfigError(f"{path}: received {node}; needs a number of at most 64 bits.")


def locate(target: Any, path: str) -> Callable[..., Any]:
    """Return the object that a dotted name stands for.

    Args:
        target: the dotted name, module.Class.
        path: the path to the `_target_`, for messages.

    Raises:
        ConfigError: the module does not exist, or has no such name; in the second case the
            message suggests the nearest name.
    """
    if not isinstance(target, str) or "." not in target:
        raise ConfigError(
            f"{path}._target_: received {target!r}; needs a dotted name, module.Class."
        )
    module_name, _, name = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"{path}._target_: received {target!r}; there is no module {module_name!r}. Check the "
            "spelling, or install the package that it comes from."
        ) from None
    if not hasattr(module, name):
        names = [n for n in dir(module) if not n.startswith("_")]
        raise ConfigError(
            f"{path}._target_: received {target!r}; {module_name} has no {name!r}."
            f"{nearest(name, names)}"
        )
    return getattr(module, name)


def _check_call(config: Mapping[str, Any], path: str, given: Sequence[str]) -> None:
    target = locate(config["_target_"], path)
    keys = [key for key in config if key not in _META_KEYS]
    try:
        parameters = parameters_of(target)
    except (TypeError, ValueError):  # some builtins have no signature to check
        return
    named = {
        n: p for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    name = config["_target_"].rpartition(".")[2]
    if not isinstance(config.get("_partial_", False), bool):
        raise ConfigError(
            f"{path}: received _partial_={config['_partial_']!r}; needs true or false."
        )
    for key in keys:
        # Player.build_optimizer drops arguments of a `_partial_` that are null, whatever their name
        if (
            key not in named
            and not takes_any
            and not (config.get("_partial_") and config[key] is None)
        ):
            raise ConfigError(
                f"{path}.{key}: {name} has no argument {key!r}; it takes {', '.join(named)}."
                f"{nearest(key, list(named))}"
            )
    if not config.get("_partial_"):
        missing = [
            n
            for n, p in named.items()
            if p.default is p.empty and n not in config and n not in given
        ]
        if missing:
            raise ConfigError(f"{path}.{missing[0]}: missing; {name} needs {', '.join(missing)}.")
    hints = _hints(target)
    for key in keys:
        if key in hints and _is_whole(hints[key]) and isinstance(config[key], Mapping):
            from ganlab.core.schedule import is_schedule

            if is_schedule(config[key]):
                raise ConfigError(f"{path}.{key}: received a schedule; needs a whole number.")
        if key in hints and not fits(config[key], hints[key]):
            raise ConfigError(
                f"{path}.{key}: received {config[key]!r} ({type(config[key]).__name__}); "
                f"{name} needs {describe(hints[key])}.{_no_classes(key, config[key])}"
            )


def _is_whole(hint: Any) -> bool:
    return hint is int or (
        get_origin(hint) in (Union, types.UnionType) and {*get_args(hint)} == {int, type(None)}
    )


def _no_classes(key: str, value: Any) -> str:
    if key != "classes" or value is not None:
        return ""
    return (
        " A conditional model needs data with classes: if the data's sub-folders are classes, set "
        "data.classes to their number; else choose another model, e.g. model=dcgan."
    )


def parameters_of(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return a dict that maps the names of a callable's arguments to their parameters.

    For a class whose constructor takes `**common`, the arguments of its base class are included. So
    they are for `**options` of any name, but the class may give some of these itself, or take
    others; then the last entry is `**options`.
    """
    parameters = dict(inspect.signature(target).parameters)
    for base in _constructors(target)[1:]:
        options = [p for p in parameters.values() if p.kind is p.VAR_KEYWORD and p.name != "common"]
        variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        parameters = {n: p for n, p in parameters.items() if p.kind not in variable}
        inherited = list(inspect.signature(base).parameters.values())[1:]  # without self
        if options:
            inherited = [p if p.kind in variable else p.replace(default=None) for p in inherited]
        for parameter in (*inherited, *options):
            parameters.setdefault(parameter.name, parameter)
    return parameters


def _constructors(target: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Return the constructors that take a class's arguments, or the function itself.

    A constructor with `**common`, or `**options` of any name, passes these arguments to the
    constructor of the base class, which is then the next in the list.
    """
    if not inspect.isclass(target):
        return [target]
    chain: list[Callable[..., Any]] = []
    for init in (vars(base)["__init__"] for base in target.__mro__ if "__init__" in vars(base)):
        chain.append(init)
        if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(init).parameters.values()):
            break
    return chain


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for function in _constructors(target):
        with suppress(Exception):  # hints may use names that are imported for type checkers only
            hints = typing.get_type_hints(function) | hints
    return hints


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value fits a parameter with this type hint; True if the hint is unknown.

    A dict with a `_target_` always fits, since an object is built from it later.
    """
    if isinstance(value, Mapping) and "_target_" in value:
        return True
    origin = get_origin(hint)
    if hint is None or hint is type(None):
        return value is None
    if origin in (Union, types.UnionType):
        return any(fits(value, option) for option in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return is_whole and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if isinstance(origin, type) and issubclass(origin, (Sequence, tuple)):
        options = [a for a in get_args(hint) if a is not Ellipsis]
        return isinstance(value, (list, tuple)) and (
            len(options) != 1 or all(fits(item, options[0]) for item in value)
        )
    return True


def describe(hint: Any) -> str:
    """Return a type hint in words, for messages."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(option) for option in get_args(hint))
    if origin is Literal:
        return "one of " + ", ".join(str(option) for option in get_args(hint))
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        type(None): "null",
    }
    if hint in names:
        return names[hint]
    if isinstance(origin, type) and issubclass(origin, (Sequence, tuple)):
        return "a list"
    return getattr(hint, "__name__", str(hint))
