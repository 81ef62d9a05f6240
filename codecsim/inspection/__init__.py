"""Looking into a stream: planes, block data and bits of every picture, while it is decoded."""
