"""`ganlab bench`: ganlab's training loop compared with a hand-written loop."""
