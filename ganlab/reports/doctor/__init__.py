"""What goes on in a run."""
