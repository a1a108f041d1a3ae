"""What calls of ours may cost: rules against toll fraud, decided in one place for whoever has a call placed."""
