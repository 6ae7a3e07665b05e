"""Forms: text into values, or a sentence beside its field. One module per page family."""
