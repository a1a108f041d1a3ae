"""The store against real databases and real ends of processes."""
