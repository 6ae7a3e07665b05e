"""What time brings: the run, and one subscription's turn in it."""
