"""CABAC: contexts, arithmetic coding engine, exact bit counts."""
