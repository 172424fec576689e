"""The record of a run: its folder, its log, its pictures."""
