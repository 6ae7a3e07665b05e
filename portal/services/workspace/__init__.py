"""A workspace's settings, switches, export and end."""
