"""Letters: written, sent, and kept for the sandbox."""
