"""`ganlab import`: make a run of public CycleGAN and pix2pix checkpoints."""

from __future__ import annotations

import sys
from pathlib import Path

from ganlab.cli.arguments import wants_help
from ganlab.config.values import check_folder
from ganlab.errors import ConfigError, RunError, one_of
from ganlab.exchange.public_files import ROLES, find_files, read_networks

HELP = """ganlab import cyclegan|pix2pix PATH… [key=value …]: make a run of public checkpoints.

  PATH                    the folder that holds latest_net_G_A.pth … or latest_net_G.pth …, or files
  epoch=latest            which of a folder's files
  out=DIR                 the run's folder (outputs/imported/<name of the folder>)
  direction=a_to_b|b_to_a what a pix2pix translates; what a CycleGAN's only generator does (a_to_b)
  objective=l1_gan|…      of a pix2pix, for training further
  dropout=true|false      of a U-Net, whose files do not tell (true, as in the public code)
  any.key=value           as in `ganlab train`: experiment=, data=, data.root=, loss=, …

The networks' sizes, norms and (of ResNets) dropout are read from the files. A network whose file is
missing is drawn anew. Then use
  ganlab translate run=DIR …     ganlab evaluate run=DIR     ganlab train run=DIR resume=true
"""

OWN = ("epoch", "out", "direction", "objective", "dropout")


def main(argv: list[str]) -> int:
    """Write the run and say what was found in the files."""
    if wants_help(argv) or not argv:
        print(HELP)
        return 0 if argv else 2
    kind, paths, own, overrides = _split(argv)
    files = find_files(paths, own.get("epoch") or "latest")
    networks = read_networks(kind, files, own)
    name = paths[0].resolve().name if paths[0].is_dir() else paths[0].resolve().parent.name
    folder = Path(own.get("out") or Path("outputs") / "imported" / name)
    check_folder("out", folder)
    if (folder / "run.json").exists():
        raise RunError(f"out: {folder} holds a run already. Choose another folder with out=DIR.")
    from ganlab.exchange.importing import configure, summary, write_run

    print("ganlab: reading the configuration …", file=sys.stderr, flush=True)
    config = configure(kind, networks, own, overrides, name, folder)
    module = write_run(config, networks, folder)
    print(summary(kind, config, module, networks, folder))
    return 0


def _split(argv: list[str]) -> tuple[str, list[Path], dict[str, str], list[str]]:
    """The kind of model, the paths, this command's arguments, and those of `ganlab train`."""
    kind, rest = argv[0], argv[1:]
    one_of("import", kind, ROLES)
    is_path = {text: Path(text).exists() or "=" not in text for text in rest}
    paths = [Path(text) for text in rest if is_path[text]]
    if not paths:
        raise ConfigError(
            f"import: no path; give the folder that holds the .pth files, or the files: ganlab "
            f"import {kind} checkpoints/NAME"
        )
    values = {text: text.partition("=")[::2] for text in rest if not is_path[text]}
    own = {key: value for key, value in values.values() if key in OWN}
    return kind, paths, own, [text for text, (key, _) in values.items() if key not in OWN]
