"""Money that moves: charges, refunds, saved methods, and what follows from their answers."""
