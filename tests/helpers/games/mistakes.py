"""Games that their authors got wrong."""

from ganlab.core import AdversarialModule


class Forgetful(AdversarialModule):
    """Does not call the constructor of its base class."""

    def __init__(self):
        self.weight = 1.0
