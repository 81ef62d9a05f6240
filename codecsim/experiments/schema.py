"""The tables of the database of runs, which database.py describes, and how files of earlier versions become it."""

SCHEMA_VERSION = 3
_EXPERIMENTS = """
CREATE TABLE experiments (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL,  -- the TOML file as given
    reference TEXT NOT NULL,  -- name of an arm
    sources TEXT NOT NULL REFERENCES versions,
    date TEXT NOT NULL  -- when it was last started
);
CREATE TABLE experiment_arms (
    experiment TEXT NOT NULL REFERENCES experiments,
    place INTEGER NOT NULL,  -- 0, 1, ... in the order of the file
    arm TEXT NOT NULL,
    options TEXT NOT NULL,  -- words of a command line
    PRIMARY KEY (experiment, place)
);
CREATE TABLE experiment_runs (
    experiment TEXT NOT NULL REFERENCES experiments,
    arm TEXT NOT NULL,
    config TEXT NOT NULL,
    clip TEXT NOT NULL,
    clip_sha256 TEXT NOT NULL,
    qp INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    key TEXT NOT NULL,  -- of runs
    PRIMARY KEY (experiment, arm, config, clip_sha256, qp)
);
"""
_PIECES = """
CREATE TABLE pieces (
    key TEXT NOT NULL,  -- of the run that it is a piece of
    first INTEGER NOT NULL,  -- picture
    frames INTEGER NOT NULL,
    done TEXT NOT NULL,  -- work.Done without the stream, JSON
    stream BLOB NOT NULL,
    PRIMARY KEY (key, first, frames)
);
"""
SCHEMA = f"""
CREATE TABLE versions (
    sources TEXT PRIMARY KEY,  -- digest of what decides what is coded
    version TEXT NOT NULL,
    label TEXT UNIQUE,
    date TEXT NOT NULL
);
CREATE TABLE runs (
    key TEXT PRIMARY KEY,  -- digest of options, clip_sha256, frames_asked and sources
    sources TEXT NOT NULL REFERENCES versions,
    options TEXT NOT NULL,  -- all of EncoderConfig, JSON
    settings TEXT NOT NULL,  -- those that differ from the defaults, without config, qp and frames, JSON
    config TEXT NOT NULL,
    qp INTEGER NOT NULL,
    clip TEXT NOT NULL,
    clip_sha256 TEXT NOT NULL,
    frames_asked INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    bits INTEGER NOT NULL,  -- of the whole stream
    hash_bits INTEGER NOT NULL,  -- of which hashes
    psnr_y REAL NOT NULL, psnr_u REAL NOT NULL, psnr_v REAL NOT NULL,  -- dB, mean over pictures
    encoder_seconds REAL NOT NULL,  -- CPU time of the loop over pictures, without compilation
    decoder_seconds REAL,  -- the same; NULL: was not decoded
    machine TEXT NOT NULL,
    software TEXT NOT NULL,
    date TEXT NOT NULL,
    result TEXT NOT NULL,  -- the encoder's result with all pictures, JSON
    stream_sha256 TEXT,  -- NULL: there is no stream (oracle), or the row is of version 1
    job_seconds REAL  -- of its whole job but for loading kernels, by the clock on the wall
);
CREATE INDEX runs_by_content ON runs (clip_sha256, config, frames_asked, settings);
{_EXPERIMENTS}
{_PIECES}
PRAGMA user_version = {SCHEMA_VERSION};
"""
CHANGES = {  # from a version to the next
    1: f"""
ALTER TABLE runs ADD COLUMN stream_sha256 TEXT;
ALTER TABLE runs ADD COLUMN job_seconds REAL;
{_EXPERIMENTS}
""",
    2: _PIECES,
}
