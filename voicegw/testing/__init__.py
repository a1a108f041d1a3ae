"""Beside the layers: the shipped test kit. Production code never imports it."""
