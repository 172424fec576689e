"""What a folder of pictures holds, and how to train on it."""
