"""Reading pictures from files: finding, decoding, pairing, caching them."""
