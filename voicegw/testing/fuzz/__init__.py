"""Fuzzers: mutated input for every grammar that a stranger's bytes reach."""
