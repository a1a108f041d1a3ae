"""Speech recognition providers, one file each."""
