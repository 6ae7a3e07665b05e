"""Use cases: verbs on nouns. The only callers of `transaction()`."""
