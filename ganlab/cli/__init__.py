"""The command line: `ganlab <command> …`."""

from __future__ import annotations

import errno
import sys

from ganlab.printable import printable, printing_safely

COMMANDS = {
    "train": "train a model, or a sweep of them with -m",
    "validate": "check a configuration without training",
    "list": "list models, losses, data sets, experiments and more",
    "sample": "make samples with a trained model",
    "translate": "translate pictures of any size with a trained model",
    "evaluate": "score a trained model, or two folders of images",
    "import": "turn public CycleGAN or pix2pix checkpoints into a run",
    "export": "write a trained network as public checkpoint, ONNX, torch.export or safetensors",
    "data": "check a folder of pictures before training, or write side-by-side pairs",
    "compare": "compare runs and sweeps: scores over seeds, cost and settings, as text or web page",
    "report": "make the web page of one run: film, curves, scores, findings, settings",
    "sweep": "show the state of a sweep's jobs, and run the unfinished ones",
    "tune": "search for good settings with Optuna",
    "reproduce": "train a paper's recipe and compare its score with the published one",
    "wandb": "send runs that were logged offline to Weights & Biases",
    "doctor": "diagnose the training of a run, and say what to change",
    "bench": "time the training loop against a minimal hand-written loop",
}

# modules of the commands whose names are Python keywords
MODULES = {"import": "importing"}

HELP = """ganlab: train, compare and understand generative adversarial models.

usage: ganlab <command> [key=value …]

commands:
{commands}

Start with   ganlab train experiment=quickstart
Then look at ganlab list experiments, or ganlab <command> --help
"""


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 only without errors.

    All that is printed on the way is made `printable`.

    Args:
        argv: the words after `ganlab`; None for those of this program, whose unexpected errors
            are printed, with exit code 1, and not raised.
    """
    if argv is not None:
        with printing_safely():
            return _main(argv)
    from ganlab.screen import protect_output

    protect_output()
    with printing_safely():
        try:
            return _main(sys.argv[1:])
        except Exception:  # Python would print its text as it is
            import traceback

            traceback.print_exc()
            return 1


def _main(argv: list[str]) -> int:
    # do not call `list()` in this file: importing ganlab.cli.list shadows the builtin
    if not argv or argv[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        print(HELP.format(commands="\n".join(f"  {k:<{width}}  {v}" for k, v in COMMANDS.items())))
        return 0 if argv else 2
    if argv[0] == "--version":
        from ganlab import __version__

        print(__version__)
        return 0
    command, rest = argv[0], argv[1:]
    from ganlab.errors import GanlabError, RunError, nearest
    from ganlab.ranks import is_main
    from ganlab.screen import lost_output

    if command not in COMMANDS:
        hint = nearest(command, [*COMMANDS])
        print(
            f"ganlab: received command {command!r}; allowed {', '.join(COMMANDS)}.{hint}",
            file=sys.stderr,
        )
        return 2
    import importlib
    import warnings

    warnings.formatwarning = lambda message, *_, **__: (
        f"ganlab: warning: {printable(str(message))}\n"
    )
    module = MODULES.get(command, command)
    try:
        code = importlib.import_module(f"ganlab.cli.{module}").main(rest)
        # the result of a training is in its folder
        if command != "train" and (error := lost_output()):
            raise RunError(f"the output could not be written: {error.strerror}.")
        return code
    except GanlabError as error:
        if is_main():
            print(f"ganlab {command}: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"ganlab {command}: {error.filename}: {error.strerror}. Give yourself access to it, or "
            "name another folder.",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        name = printable(str(error.filename))
        print(f"ganlab {command}: {name}: {error.strerror}. Give a shorter name.", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        text = str(error).partition("\n")[0]
        if not isinstance(error, MemoryError) and "allocate" not in text:
            raise
        print(
            f"ganlab {command}: there is not enough memory: {printable(text)}. Use smaller sizes "
            "or numbers.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        if is_main():
            print(f"ganlab {command}: interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
