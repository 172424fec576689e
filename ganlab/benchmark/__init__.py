"""`ganlab bench`: the training loop against a hand-written one."""
