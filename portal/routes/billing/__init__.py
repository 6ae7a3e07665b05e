"""The overview of what a workspace pays, and the calendar of what comes."""
