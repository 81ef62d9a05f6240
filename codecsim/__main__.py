"""`python -m codecsim` is `codecsim`."""

from codecsim.cli import main

if __name__ == "__main__":
    main()
