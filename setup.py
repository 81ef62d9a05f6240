"""What setup.cfg cannot say: some folders stand beside the package and are installed inside it."""

from setuptools import find_namespace_packages, setup

RESOURCES = ("data", "models")

resources = {f"codecsim.{name}": name for name in RESOURCES}
setup(
    packages=[*find_namespace_packages(include=["codecsim", "codecsim.*"]), *resources],
    package_dir={"codecsim": "codecsim", **resources},
)
