"""Normative.  The filters of inter prediction, luma and chroma, that learn from picture to picture."""
