"""What goes on in a run, in words."""
