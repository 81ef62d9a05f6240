"""Settings: what can be set, declared once."""
