"""What a trained model is used for."""

from ganlab.applications.sheet import save_picture, save_sheet
from ganlab.applications.tiling import translate_picture

__all__ = ["save_picture", "save_sheet", "translate_picture"]
