"""Decode a stream; print the SHA-256 of its pictures and the hash of the learner after the last.

python decode_digest.py STREAM [THREADS]
"""

import hashlib
import sys

from codecsim.codec.decoder import decode


def main(path, threads="1"):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for picture in decode(stream, threads=int(threads)):
            for plane in picture.frame:
                digest.update(plane.tobytes())
    print(digest.hexdigest(), picture.report.learner_hash)


main(*sys.argv[1:])
