"""Language model providers, and the chain that chooses among them."""
