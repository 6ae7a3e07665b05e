"""From a chosen plan, or from what is due, to a payment asked for."""
