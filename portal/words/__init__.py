"""Sentences, names and formats that more than one place says."""
