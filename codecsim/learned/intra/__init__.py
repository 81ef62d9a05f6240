"""Normative.  The filter of intra prediction."""
