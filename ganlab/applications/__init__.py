"""Uses of a trained model: translation of pictures, and samples as files."""

from ganlab.applications.large_pictures import check_tile, translate_picture
from ganlab.applications.sheet import save_picture, save_sheet

__all__ = ["check_tile", "save_picture", "save_sheet", "translate_picture"]
