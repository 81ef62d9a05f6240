"""Normative.  The steps of a picture from its decisions to a reference; PictureCodec runs them in order."""
