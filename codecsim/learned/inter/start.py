"""Normative.  What a filter of inter prediction starts from: the input planes and the weights of its net."""

from typing import NamedTuple

from codecsim.errors import ConfigError
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.weights import InitialWeights, builtin_weights, with_more_inputs
from codecsim.learned.inter.input_planes import planes_of
from codecsim.learned.model_files import Model
from codecsim.tools.learner import LearnerSettings


class Start(NamedTuple):
    """Of a net."""

    inputs: tuple[str, ...]  # names of its input planes
    initial: InitialWeights


def start_of(settings: LearnerSettings, model: Model | None = None) -> Start:
    """Where the net of a filter starts: from the built-in weights, or from a model.

    The model says which planes its net takes.  Those that the settings can switch must be those that they switch on;
    the sizes of blocks alone may come behind those of a model that does not know them.

    Raises
    ------
    ConfigError : a model for other planes, or for planes that there are not; the text names the settings that it wants
    """
    builtin = builtin_weights(settings.spec)
    if model is None:
        return Start(settings.inputs, builtin)
    if model.inputs != settings.inputs and model.digest == builtin.digest():
        raise ConfigError(
            f"model {model.name}: its weights are the built-in ones, which a stream takes for those of the planes "
            f"{', '.join(settings.inputs)}, not {', '.join(model.inputs)}; give it other weights"
        )
    spec: NetSpec = model.spec
    planes, usual = planes_of(model.inputs), settings.without_sizes.inputs
    switched = tuple(plane.name for plane in planes if settings.can_switch(plane.name))
    if spec.n_outputs == 1 and switched == settings.inputs:
        return Start(model.inputs, model.initial())
    if spec.n_outputs == 1 and switched == usual:
        inputs = (*model.inputs, *settings.inputs[len(usual) :])
        try:
            return Start(inputs, with_more_inputs(model.initial(), len(planes), len(inputs) + len(inputs) % 2))
        except ValueError as error:
            raise ConfigError(f"model {model.name}: it cannot take the sizes of blocks too: {error}") from None
    wanted = " ".join(
        f"--set {settings.group}.{name}={value}" for name, value in settings.planes_of(model.inputs).items()
    )
    raise ConfigError(
        f"model {model.name}: it takes {', '.join(model.inputs)} to {spec.n_outputs} output; the settings give "
        f"{', '.join(settings.inputs)} to 1 output; to have what it takes, say {wanted}"
    )
