"""Invoice facts to PDF: layout in typst, wording and amounts in Python, no request and no database."""
