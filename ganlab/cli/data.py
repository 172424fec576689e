"""`ganlab data`: look at a folder of pictures before training, and make pairs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ganlab.cli.arguments import Argument, parse, usage, wants_help
from ganlab.errors import ConfigError, one_of
from ganlab.reports.data.findings import DataCheck

_KINDS = 3  # sizes, modes and formats that a line names
HELP = """ganlab data: look at a folder of pictures before training, and make pairs

  ganlab data check DIR [out=FILE]     say what DIR holds, how to train on it, and what is wrong
  ganlab data pair A_DIR B_DIR OUT     write files of both sides, A left of B, into a new folder

ganlab data check --help and ganlab data pair --help say more."""

PAIR_HELP = """ganlab data pair A_DIR B_DIR OUT: write files of both sides, A left of B

  A_DIR, B_DIR  folders of pictures with equal names and sizes; train/, val/ and test/ are kept
  OUT           the folder to make, for data=paired; it may not be there, or must be empty

Every problem is named before anything is written. Files are PNGs."""

ARGUMENTS = {
    "out": Argument(Path, "picture of a few samples, default outputs/data_check/NAME.png"),
}


def main(argv: list[str]) -> int:
    """Run `data check` or `data pair`; 1 where something would stop a training."""
    commands = {"check": check, "pair": pair}
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP)
        return 0 if argv else 2
    return commands[one_of("data", argv[0], commands)](argv[1:])


def check(argv: list[str]) -> int:
    """Print what a folder holds; returns 1 if something would stop a training."""
    if wants_help(argv):
        purpose = "say what DIR holds, how to train on it, and what is wrong"
        print(usage("data check DIR", purpose, ARGUMENTS))
        return 0
    if not argv:
        raise ConfigError("data check: no folder is given. Write ganlab data check DIR.")
    root, values = Path(argv[0]).expanduser(), parse(argv[1:], ARGUMENTS)

    from ganlab.config.groups import options
    from ganlab.reports.data.check import check_data

    if values["out"] is not None and values["out"].exists():
        raise ConfigError(f"out: {values['out']} is there already; choose another file.")
    found = check_data(root, tuple(options("experiment")))
    print(_text(found))
    rows = {title: files for title, files in found.samples.items() if files}
    if rows:
        from ganlab.reports.data.samples import save_samples

        out = values["out"] or Path("outputs/data_check") / f"{root.resolve().name}.png"
        save_samples(rows, out)
        print(f"Samples: {out}")
    return 1 if found.wrong else 0


def pair(argv: list[str]) -> int:
    """Make side-by-side files."""
    if wants_help(argv):
        print(PAIR_HELP)
        return 0
    if len(argv) != 3:
        raise ConfigError(
            f"data pair: received {len(argv)} paths, needs 3: ganlab data pair A_DIR B_DIR OUT."
        )
    from ganlab.data.readers.side_by_side import write_pairs

    a, b, out = (Path(text).expanduser() for text in argv)
    counts = write_pairs(a, b, out)
    listed = ", ".join(f"{n:,} in {split}/" if split else f"{n:,}" for split, n in counts.items())
    print(f"Wrote {sum(counts.values()):,} pairs to {out} ({listed}).\nTrain on them with\n")
    print(f"  ganlab train experiment=pix2pix data.root={out}")
    return 0


def _text(found: DataCheck) -> str:
    total = sum(folder.pictures for folder in found.folders)
    lines = [f"{found.root}: {total:,} pictures in {len(found.folders):,} folders"]
    shown = found.folders[:20]
    width = max((len(str(f.path.relative_to(found.root))) for f in shown), default=0)
    for folder in shown:
        name = str(folder.path.relative_to(found.root))
        facts = [_commonest(part) for part in (folder.sizes, folder.kinds) if part]
        lines.append(f"  {name:<{width}}  {folder.pictures:>7,}  {'; '.join(facts)}".rstrip())
    if len(found.folders) > len(shown):
        lines.append(f"  … and {len(found.folders) - len(shown):,} more folders")
    lines += found.hints
    lines.append(f"Used as: {found.use or 'nothing that this program knows'}")
    lines += [f"  {n:,} {what}" for what, n in found.counts.items()]
    for title, texts in (
        ("Wrong, and would stop a training:", found.wrong),
        ("Worth knowing:", found.notes),
    ):
        if texts:
            lines.append(title)
            lines += ["  - " + text.replace("\n", "\n    ") for text in texts]
    if found.command:
        lines += [f"Train{' when that is mended' if found.wrong else ''} with", ""]
        lines += [f"  {found.command}", ""]
    return "\n".join(lines)


def _commonest(counts: Counter[str]) -> str:
    """The commonest entries of a count: "256×256 (400), 512×512 (2), … 3 more"."""
    common = [
        name if len(counts) == 1 else f"{name} ({n:,})" for name, n in counts.most_common(_KINDS)
    ]
    more = [f"… {len(counts) - _KINDS} more"] if len(counts) > _KINDS else []
    return ", ".join(common + more)
