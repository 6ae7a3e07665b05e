"""What the Billing pages hold beside plans and payments: who gets its letters."""
