"""The `portal` command and what starts a server."""
