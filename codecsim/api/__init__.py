"""The front door: what `import codecsim` gives, see `codecsim/__init__.py`."""
