"""Health, cleaning up, and the books."""
