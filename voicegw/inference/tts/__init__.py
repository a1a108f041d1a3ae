"""Speech synthesis providers, one file each."""
