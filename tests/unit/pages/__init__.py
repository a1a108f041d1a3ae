"""What the pages for people say, against the code."""
