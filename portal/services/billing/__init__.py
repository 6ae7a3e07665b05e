"""What a workspace pays: what it has, what comes, what needs somebody, who gets its letters."""
