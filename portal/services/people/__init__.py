"""A person's way in, and their account."""
