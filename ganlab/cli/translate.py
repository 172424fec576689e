"""`ganlab translate`: translate pictures of any size with a trained model."""

from __future__ import annotations

from pathlib import Path

from ganlab.cli.arguments import REQUIRED, Argument, parse, usage, wants_help
from ganlab.config.values import boolean, count, natural, seed

ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…", REQUIRED),
    "input": Argument(Path, "a picture, or a folder of them (its sub-folders too)", REQUIRED),
    "output": Argument(Path, "folder for the results, x.png for each x.*, and sheet.png", REQUIRED),
    "direction": Argument(str, "such as a_to_b; the model's first unless given"),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file (last)", "last"),
    "ema": Argument(boolean, "true for averaged weights, false for the raw ones (true)", True),
    "tile": Argument(count, "side of the tiles that larger pictures are cut into; see below"),
    "overlap": Argument(natural, "pixels that neighbouring tiles share (a quarter of a tile)"),
    "seed": Argument(seed, "seed of noise, where the model has any (0)", 0),
    "max_pixels": Argument(count, "files that state more pixels are refused (67108864)", 2**26),
    "device": Argument(str, "cpu, cuda, mps, xpu; the fastest there is unless given"),
}
NOTES = """
Sides that the generator cannot take are padded by reflection and cut back: to a multiple of 4 for a
ResNet with 2 downsamplings, to one of 2**depth for a U-Net (256 at full depth), at least 32 pixels.
Pictures of more than 1,048,576 pixels are translated in tiles of 512 pixels whose seams are blended
smoothly; tile= sets another size, and tiles pictures of fewer pixels too. A tile sees nothing
beyond itself: instance normalisation, and pix2pix's batch normalisation of each picture by itself,
take each tile's own statistics, so that colours may drift over a large picture, less with larger
tiles. tile=131072 tiles none.
"""


def main(argv: list[str]) -> int:
    """Write a result for each picture, and a sheet of the first; say where they are."""
    if wants_help(argv):
        print(usage("translate", "translate pictures with a trained model.", ARGUMENTS))
        print(NOTES, end="")
        return 0
    arguments = parse(argv, ARGUMENTS)
    from ganlab.applications.translation import check_all_read, translate_folder

    direction, done, failures = translate_folder(**arguments)
    if done:
        print(f"{len(done)} translated {direction}: {arguments['output']}")
    check_all_read(failures, len(done) + len(failures))
    return 0
