"""Learned tools: networks that encoder and decoder run and train alike, in exact integer arithmetic."""
