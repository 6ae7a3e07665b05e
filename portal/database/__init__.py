"""Connecting, migrating, and SQL that is written once."""
