"""The revisions, each on top of the one before. A released revision is never edited."""
