"""What a bank sends of an account, bytes in and lines out: camt.053 and camt.054 (ISO 20022), and CSV.

Nothing here is believed: no DOCTYPE, no entity, a bounded size and depth, amounts by the digits of their
currency, and sums that have to agree. Whatever is wrong is a `BankFileRefused`, and nothing is read then.
"""
