"""Every syntax element of a stream, as it is written or read: records, files of them, and the first difference."""
