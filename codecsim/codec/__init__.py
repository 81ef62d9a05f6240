"""The codec: encoder, decoder, and what they do alike to one picture."""
