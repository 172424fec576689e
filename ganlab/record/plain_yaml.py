"""Parses YAML into plain values; reads numbers as OmegaConf does, but several times as fast."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import yaml

from ganlab.reading import check_extent

ENTRIES = 100_000  # largest number of entries; a configuration has some hundreds
# YAML 1.1 reads 1e-5 as text and dates as dates; OmegaConf reads 1e-5 as a number, dates as text.
_FLOAT = re.compile(
    r"^(?:[-+]?\d+(?:_\d+)*(?:\.[\d_]*(?:[eE][-+]?\d+)?|[eE][-+]?\d+|(?::[0-5]?\d)+\.[\d_]*)"
    r"|\.\d+(?:_\d+)*(?:[eE][-+]\d+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)

_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Loader of plain values that refuses repeated keys; uses libyaml if available.

    Tags of other values, such as !!pairs, !!set and !!binary, are refused: their tuples and sets
    would pass checks of dicts and lists.
    """

    yaml_constructors = {
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in _PLAIN
    }

    yaml_implicit_resolvers = {
        first: [
            (tag, regexp) for tag, regexp in resolvers if not tag.endswith(("float", "timestamp"))
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(keys):
            repeated = next(key for key, count in Counter(keys).items() if count > 1)
            raise yaml.constructor.ConstructorError(
                None, None, f"found duplicate key {repeated}", node.start_mark
            )
        mapping = super().construct_mapping(node, deep)
        if any(isinstance(key, float) for key in mapping):  # many could have the same hash
            raise ValueError("a key is no text and no whole number")
        return mapping

    def flatten_mapping(self, node: Any) -> None:
        super().flatten_mapping(node)
        self.entries = getattr(self, "entries", 0) + len(node.value)
        if self.entries > ENTRIES:
            raise ValueError(f"it has more than {ENTRIES:,} entries")

    def construct_number(self, node: Any) -> Any:
        """Return a number; numbers with colons, as 1:30, are read as in YAML 1.1."""
        is_int = node.tag.endswith(":int")
        if len(node.value) > (20 if is_int else 400):
            raise ValueError(f"it has a number of {len(node.value):,} characters")
        return self.construct_yaml_int(node) if is_int else self.construct_yaml_float(node)


for kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{kind}", _Loader.construct_number)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def parse(text: str) -> Any:
    """Return the contents of a YAML text: None, a scalar, a list or a dict.

    Interpolations (`${…}`) are returned as text.

    Raises:
        yaml.YAMLError: the text is no valid YAML, a key is repeated, or a tag names another type.
        ValueError: the text has too many entries, also by aliases of aliases, or is nested too
            deeply.
    """
    content = yaml.load(text, _Loader)
    check_extent(content, ENTRIES)
    return content
