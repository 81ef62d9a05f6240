"""A learner that tests feed picture by picture."""

from codecsim.learned.inter.prediction_filter import make_learner
from codecsim.learned.inter.size_classes import CLASS_LIMITS, SizeClassFilter
from codecsim.learned.learner import LearnerInputs


class Running:
    """The learner of InterLumaSettings, and the lesson of the picture that it filtered last.

    Everything else is the learner's, or that of the learner which takes orders.
    """

    def __init__(self, params, width, height, bit_depth=8, *args, **kwargs):
        make = SizeClassFilter if params.block_size in CLASS_LIMITS else make_learner
        self.learner, self.lesson = make(params, width, height, bit_depth, *args, **kwargs), None
        self.bit_depth = bit_depth

    def predict(self, pred, aux, qp, areas=None):
        """Planes of all experts; `aux`: in the order of what the learner needs."""
        names = [name for name in self.learner.needs if name != "areas"]
        found = dict(zip(names, aux, strict=False))
        if areas is not None:
            found["areas"] = areas
        planes, self.lesson = self.learner.predict(LearnerInputs(pred, found, qp, self.bit_depth))
        return planes

    def learn(self, recon, coded):
        """Learn from the picture that `predict` has had."""
        return self.learner.learn(self.lesson, recon, coded)

    def __getattr__(self, name):
        return getattr(self.learner if hasattr(self.learner, name) else self.learner.learner, name)
