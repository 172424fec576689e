"""`ganlab translate`: translate pictures of any size with a trained model."""

from __future__ import annotations

from pathlib import Path

from ganlab.cli.arguments import (
    METRICS_MEMORY_ARGUMENT,
    REQUIRED,
    TRUST,
    Argument,
    parse,
    say_loading,
    usage,
    wants_help,
)
from ganlab.config.values import boolean, count, natural, seed

ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…", REQUIRED),
    "input": Argument(Path, "a picture, or a folder of pictures with its sub-folders", REQUIRED),
    "output": Argument(
        Path,
        "folder for the results: x.png for each x.*, and an overview sheet.png; older results of "
        "the same pictures are replaced, other files are refused",
        REQUIRED,
    ),
    "direction": Argument(str, "a direction, e.g. a_to_b (default: the model's first direction)"),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file", "last"),
    "ema": Argument(boolean, "true for EMA weights, false for raw weights", True),
    "tile": Argument(count, "side of the tiles that pictures are cut into, in pixels (see below)"),
    "overlap": Argument(
        natural, "pixels that neighbouring tiles share (default: a quarter of tile)"
    ),
    "seed": Argument(seed, "seed of the model's noise, if it has any", 0),
    "max_pixels": Argument(count, "largest allowed number of pixels of a picture", 2**26),
    "metrics_memory": METRICS_MEMORY_ARGUMENT,
    "device": Argument(str, "cpu, cuda, mps or xpu (default: the fastest available)"),
    "trust": TRUST,
}
NOTES = """
The generator needs sides of at least 32 pixels that are a multiple of 4 (a ResNet with 2
downsamplings) or of 2**depth (a U-Net; 256 at full depth). Other pictures are padded by reflection,
and the results are cropped. Pictures of more than 1,048,576 pixels are translated in tiles of
512×512 pixels whose overlaps are blended. With tile=SIDE, every picture with a side above SIDE is
translated in tiles of SIDE pixels; a SIDE above every picture's turns tiling off. Each tile is
translated alone: instance normalisation, and the batch normalisation of pix2pix, use the statistics
of the tile. Colours may therefore drift across a large picture; larger tiles reduce this.
"""


def main(argv: list[str]) -> int:
    """Translate the pictures, write the results and a sheet of the first few, print the folder."""
    if wants_help(argv):
        print(usage("translate", "translate pictures with a trained model.", ARGUMENTS))
        print(NOTES, end="")
        return 0
    arguments = parse(argv, ARGUMENTS)
    say_loading("translate", f"the model of {arguments['run']}")
    from ganlab.applications.translation import check_all_read, translate_folder

    direction, done, failures = translate_folder(**arguments)
    if done:
        print(f"{len(done)} translated {direction}: {arguments['output']}")
    check_all_read(failures, len(done) + len(failures))
    return 0
