"""Every package that ganlab imports is declared as a dependency of ganlab."""

import ast
import re
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import ganlab


def test_every_import_is_declared():
    """Packages of the extras count as declared."""
    imported = set()
    for path in Path(ganlab.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.split(".")[0])
    imported -= {*sys.stdlib_module_names, "ganlab"}
    declared = {_plain(re.match(r"[\w.-]+", text)[0]) for text in requires("ganlab")}
    declared |= {
        "joblib"
    }  # hydra-joblib-launcher installs it; only code for that launcher imports it
    distributions = packages_distributions()
    undeclared = {
        name
        for name in imported
        if not declared & set(map(_plain, distributions.get(name, [name])))
    }
    assert undeclared == set()


def _plain(name):
    return name.lower().replace("-", "_")
