"""The agreement and every change of it."""
