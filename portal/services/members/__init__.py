"""Who belongs to a workspace, and how that changes."""
