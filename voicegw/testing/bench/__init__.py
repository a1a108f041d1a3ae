"""Benchmarks of the shipped parts; `scripts/bench NAME` runs one."""
