"""Layer 0: ids, clock, errors, hangup causes, state tables, process messages, logs and metrics."""
