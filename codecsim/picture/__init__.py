"""Pictures: samples, blocks, hashes, the decoded picture buffer, and measures of quality."""
