"""Downloading and unpacking the files of public data sets."""
