"""What goes on in calls, for tools that others wrote: OpenTelemetry."""
