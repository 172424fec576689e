"""Data sets of single images."""
