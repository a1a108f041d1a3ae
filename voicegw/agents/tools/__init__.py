"""Tools of an agent: what it may do, checked both ways, and done exactly once."""
