"""The syntax of the stream: every element is written once, by a function that both writes and reads it."""
