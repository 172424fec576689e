"""`ganlab data`: check a folder of pictures before training, or write side-by-side pairs."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from ganlab.cli.arguments import Argument, parse, say_loading, usage, wants_help
from ganlab.errors import ConfigError, one_of
from ganlab.reports.data.findings import DataCheck

_MOST_COMMON = 3  # how many sizes, and how many formats, are listed per folder
HELP = """ganlab data: check a folder of pictures before training, or write side-by-side pairs

  ganlab data check DIR [out=FILE]     say what DIR holds, how to train on it, and what is wrong
  ganlab data pair A_DIR B_DIR OUT     join each pair of pictures in one file, A left of B

See also ganlab data check --help and ganlab data pair --help."""

PAIR_HELP = """ganlab data pair A_DIR B_DIR OUT: join each pair of pictures in one file, A left of B

  A_DIR, B_DIR  folders of pictures with equal names and sizes; the sub-folders train/, val/ and
                test/ are kept
  OUT           a new or empty folder for the joined pictures (PNG), to be used with data=paired

All problems are reported before anything is written."""

ARGUMENTS = {
    "out": Argument(
        Path, "file x.png for a picture of a few examples (default: outputs/data_check/NAME.png)"
    ),
}


def main(argv: list[str]) -> int:
    """Run `data check` or `data pair`, and return its exit code."""
    commands = {"check": check, "pair": pair}
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP)
        return 0 if argv else 2
    return commands[one_of("data", argv[0], commands)](argv[1:])


def check(argv: list[str]) -> int:
    """Print what a folder holds; return 1 if something would make a training fail, else 0."""
    if wants_help(argv):
        purpose = "say what DIR holds, how to train on it, and what is wrong"
        print(usage("data check DIR", purpose, ARGUMENTS))
        return 0
    if not argv:
        raise ConfigError("data check: no folder is given. Use ganlab data check DIR.")
    root, values = Path(os.path.expanduser(argv[0])), parse(argv[1:], ARGUMENTS)

    say_loading("data check", f"the pictures of {root}")
    from ganlab.config.groups import options
    from ganlab.reports.data.check import check_data

    if values["out"] is not None and values["out"].suffix != ".png":
        raise ConfigError(f"out: received {values['out']}; needs a name that ends in .png.")
    if values["out"] is not None and values["out"].exists():
        raise ConfigError(f"out: {values['out']} exists already; choose another file.")
    result = check_data(root, tuple(options("experiment")))
    print(_text(result))
    rows = {title: files for title, files in result.samples.items() if files}
    if rows:
        from ganlab.reports.data.samples import save_samples

        out = values["out"] or Path("outputs/data_check") / f"{root.resolve().name}.png"
        save_samples(rows, out)
        print(f"Examples: {out}")
    return 1 if result.wrong else 0


def pair(argv: list[str]) -> int:
    """Write side-by-side pictures, A left of B; return 0."""
    if wants_help(argv):
        print(PAIR_HELP)
        return 0
    if len(argv) != 3:
        raise ConfigError(
            f"data pair: received {len(argv)} paths, needs 3: ganlab data pair A_DIR B_DIR OUT."
        )
    a, b, out = (Path(os.path.expanduser(text)) for text in argv)
    say_loading("data pair", f"the pictures of {a}")
    from ganlab.data.readers.side_by_side import write_pairs

    counts = write_pairs(a, b, out)
    listed = ", ".join(f"{n:,} in {split}/" if split else f"{n:,}" for split, n in counts.items())
    print(f"Wrote {sum(counts.values()):,} pairs to {out} ({listed}).\nTrain on them with\n")
    print(f"  ganlab train experiment=pix2pix data.root={out}")
    return 0


def _text(result: DataCheck) -> str:
    total = sum(folder.pictures for folder in result.folders)
    folders = "1 folder" if len(result.folders) == 1 else f"{len(result.folders):,} folders"
    lines = [f"{result.root}: {total:,} pictures in {folders}"]
    shown = result.folders[:20]
    width = max((len(str(f.path.relative_to(result.root))) for f in shown), default=0)
    for folder in shown:
        name = str(folder.path.relative_to(result.root))
        facts = [_most_common(counts) for counts in (folder.sizes, folder.kinds) if counts]
        lines.append(f"  {name:<{width}}  {folder.pictures:>7,}  {'; '.join(facts)}".rstrip())
    if len(result.folders) > len(shown):
        lines.append(f"  … and {len(result.folders) - len(shown):,} more folders")
    lines += result.hints
    lines.append(f"Used as: {result.use or 'nothing; ganlab does not know this layout'}")
    lines += [f"  {n:,} {what}" for what, n in result.counts.items()]
    for title, texts in (
        ("Errors, which would stop a training:", result.wrong),
        ("Notes:", result.notes),
    ):
        if texts:
            lines.append(title)
            lines += ["  - " + text.replace("\n", "\n    ") for text in texts]
    if result.command:
        lines += ["When the errors are corrected, train with" if result.wrong else "Train with", ""]
        lines += [f"  {result.command}", ""]
    return "\n".join(lines)


def _most_common(counts: Counter[str]) -> str:
    """Return the most common entries: "256×256 (400), 512×512 (2), 64×64 (1), … 3 more"."""
    names = [
        name if len(counts) == 1 else f"{name} ({n:,})"
        for name, n in counts.most_common(_MOST_COMMON)
    ]
    more = len(counts) - _MOST_COMMON
    return ", ".join([*names, f"… {more} more"] if more > 0 else names)
