"""Issuing invoices, their documents, and the history that shows them."""
