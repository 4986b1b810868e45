"""What the Langevin kernel refuses."""

from __future__ import annotations

import pytest

from tutelage.checks import InputError
from tutelage.sample import Langevin


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"step_size": 0.0}, "step_size above 0, not 0.0"),
        ({"step_size": -0.1}, "step_size above 0, not -0.1"),
        ({"step_size": float("nan")}, "step_size above 0, not nan"),
        ({"step_size": float("inf")}, "step_size above 0, not inf"),
        ({"step_size": 1e30}, "step_size of 1e\\+19 or less, not 1e\\+30"),
        ({"step_size": 0.1, "temperature": -1.0}, "temperature of 0 or more, not -1.0"),
        ({"step_size": 0.1, "temperature": float("nan")}, "temperature of 0 or more, not nan"),
        ({"step_size": 0.1, "temperature": 0.0, "metropolis": True}, "temperature 0.*metropolis=False"),
    ],
)
def test_what_cannot_work_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Langevin(**fields)
