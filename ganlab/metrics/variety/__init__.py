"""Quality and variety of samples apart, modes, copies."""
