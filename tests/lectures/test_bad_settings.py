"""Wrong settings of lessons are refused before anything is computed."""

from importlib import import_module

import pytest

from ganlab.errors import ConfigError
from ganlab.lectures import density_estimation

BAD = {
    "dirac": {"lr": [0, -0.1, "fast"], "steps": [0], "samples": [0], "start": [[0, 0], [1.0]]},
    "density_estimation": {
        "components": [[], [0], [1, -2], 3],
        "samples": [1],
        "batches": [0],
        "draws": [0],
        "lr": [0],
    },
    "mode_collapse": {
        "remedies": [[], ["prayer"]],
        "batches": [0, 2],  # 2 is less than the default of 3 snapshots
        "snapshots": [0],
        "sigma": [0],
    },
    "optimal_discriminator": {
        "steps": [0],
        "real": [[0.0], [0.0, 0.0], ["a", 1.0]],
        "fake": [[0.0, -1.0], 1.0],
        "lr": [0],
        "hidden": [[]],
    },
    "divergences": {
        "weights": [[1.0], [0.5, 0.6], [1.5, -0.5]],
        "means": [[0.0, 1.0, 2.0], [2.0, -2.0]],
        "stds": [[0.5], [0.5, 0.0]],
    },
    "digit_manifold": {"images": [0, 63], "judged": [0, 2501], "steps": [0], "latent": [0]},
    "vanishing_gradients": {
        "distances": [[], [3.0, 1.0], [0.0, 1.0], [1.0, 1.0], [-1.0]],
        "furthest": [0],
        "points": [0],
    },
}
CASES = [
    (lecture, name, value)
    for lecture, settings in BAD.items()
    for name, values in settings.items()
    for value in values
]


@pytest.mark.parametrize(("lecture", "name", "value"), CASES)
def test_bad_setting(lecture, name, value):
    lesson = import_module(f"ganlab.lectures.{lecture}").lesson
    with pytest.raises(ConfigError, match=rf"^lesson\.{name}\b.*received .*allowed"):
        lesson(**{name: value})


def test_figure_has_a_panel_for_each_estimator():
    made = density_estimation.lesson(components=[1, 2, 3, 4], batches=2, samples=500, draws=1000)
    assert len(made.figure.axes) == 5
    assert any(axes.get_title().startswith("GAN") for axes in made.figure.axes)
