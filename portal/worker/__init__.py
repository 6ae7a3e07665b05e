"""The threads and the alarm clock behind the pages."""
