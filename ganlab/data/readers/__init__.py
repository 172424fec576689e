"""Reading pictures from files: how they are found, decoded, paired and cached."""
