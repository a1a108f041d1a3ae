"""Layer 4: what answers a caller: scripted flows (and, later, LLM agents)."""
