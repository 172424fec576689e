"""One run: its session, how it is resumed, evaluated and summed up."""
