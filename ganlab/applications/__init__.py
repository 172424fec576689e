"""What a trained model is used for."""

from ganlab.applications.sheet import save_picture, save_sheet
from ganlab.applications.tiling import check_tile, translate_picture

__all__ = ["check_tile", "save_picture", "save_sheet", "translate_picture"]
