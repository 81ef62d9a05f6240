"""A local web page to step through streams: decoding in the background, pictures and block data on request."""
