"""`ganlab import`: turn checkpoints of pytorch-CycleGAN-and-pix2pix into a run."""

from __future__ import annotations

from pathlib import Path

from ganlab.cli.arguments import say_loading, wants_help
from ganlab.config.values import check_folder
from ganlab.errors import ConfigError, RunError, one_of
from ganlab.exchange.public_files import ROLES, find_files, read_networks

HELP = """ganlab import cyclegan|pix2pix PATH… [key=value …]: turn checkpoints of
pytorch-CycleGAN-and-pix2pix into a run.

  PATH                    a folder with latest_net_G_A.pth … or latest_net_G.pth …, or such files
  epoch=latest            which epoch's files to take from a folder (default: latest)
  out=DIR                 folder for the run (default: outputs/imported/<name of the folder>)
  direction=a_to_b|b_to_a direction of a pix2pix generator, or of a single CycleGAN generator that
                          is not called G_A or G_B (default: a_to_b)
  objective=l1_gan|…      objective of a pix2pix, for further training
  dropout=true|false      whether a U-Net has dropout, which its file does not show (default: true,
                          as in the authors' code)
  any.key=value           as in `ganlab train`: experiment=, data=, data.root=, loss=, …

The networks' sizes and norms, and the dropout of ResNets, are read from the files. A network whose
file is missing is initialized at random. Afterwards use
  ganlab translate run=DIR …     ganlab evaluate run=DIR     ganlab train run=DIR resume=true
"""

KEYS = ("epoch", "out", "direction", "objective", "dropout")


def main(argv: list[str]) -> int:
    """Write the run, and print what the files hold."""
    if wants_help(argv) or not argv:
        print(HELP)
        return 0 if argv else 2
    model, paths, arguments, overrides = _split(argv)
    files = find_files(paths, arguments.get("epoch") or "latest")
    say_loading("import", "the checkpoints")
    networks = read_networks(model, files, arguments)
    name = paths[0].resolve().name if paths[0].is_dir() else paths[0].resolve().parent.name
    folder = Path(arguments.get("out") or Path("outputs") / "imported" / name)
    check_folder("out", folder)
    if (folder / "run.json").exists():
        raise RunError(f"out: {folder} holds a run already. Choose another folder with out=DIR.")
    from ganlab.exchange.importing import configure, summary, write_run

    config = configure(model, networks, arguments, overrides, name, folder)
    module = write_run(config, networks, folder)
    print(summary(model, config, module, networks, folder))
    return 0


def _split(argv: list[str]) -> tuple[str, list[Path], dict[str, str], list[str]]:
    """Return the model (cyclegan or pix2pix), the paths, the arguments in KEYS, and overrides."""
    model, rest = argv[0], argv[1:]
    one_of("import", model, ROLES)
    is_path = {text: Path(text).exists() or "=" not in text for text in rest}
    paths = [Path(text) for text in rest if is_path[text]]
    if not paths:
        raise ConfigError(
            f"import: received no path; give the folder that holds the .pth files, or the files: "
            f"ganlab import {model} checkpoints/NAME"
        )
    values = {text: text.partition("=")[::2] for text in rest if not is_path[text]}
    arguments = {key: value for key, value in values.values() if key in KEYS}
    overrides = [text for text, (key, _) in values.items() if key not in KEYS]
    return model, paths, arguments, overrides
