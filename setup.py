"""What setup.cfg cannot say: the folders `data` and `models` stand beside the package and are installed inside it."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["codecsim", "codecsim.*"]), "codecsim.data", "codecsim.models"],
    package_dir={"codecsim": "codecsim", "codecsim.data": "data", "codecsim.models": "models"},
)
