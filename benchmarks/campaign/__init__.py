"""Rate-distortion campaigns: many encodings over all cores, kept in a database, and the tables made of them."""
