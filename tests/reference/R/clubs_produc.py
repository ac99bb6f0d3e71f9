"""Expected convergence clubs of the Produc panel by an independent implementation (convergence-clubs 0.1.2 from PyPI).

Run in tests/reference, in an environment with that package, which the project does not need:
``python R/clubs_produc.py``
"""

import json
from pathlib import Path

import convergence_clubs as reference
import numpy as np
import pandas as pd

RULES = {"convention": "Stata", "time_trim": 0.3}


def membership(clubs, units: int) -> list[int]:
    numbers = np.zeros(units, dtype=int)
    for number, club in enumerate(clubs.clubs, start=1):
        numbers[list(club.ids)] = number
    return numbers.tolist()


panel = pd.read_csv(Path("data/produc.csv")).set_index(["state", "year"])
panel = panel.assign(prod=panel["gsp"] / panel["emp"], capital=panel["pc"] / panel["emp"])
result = {"source": "convergence-clubs 0.1.2", **RULES, "units": sorted(panel.index.unique("state"))}
for variable, smoothing in [("prod", None), ("prod", 400.0), ("gsp", None), ("gsp", 6.25), ("capital", 400.0)]:
    paths = np.log(panel[variable].unstack())
    if smoothing is not None:
        paths = reference.hp_filter(paths, smoothing)
    test = reference.log_t_test(np.asarray(reference.cross_sectional_variation(paths)), RULES["time_trim"])
    clubs = reference.find_clubs(paths, **RULES)
    result[f"{variable}_{smoothing or 0:g}"] = {
        "slope": test.beta,
        "std_error": test.std_err,
        "statistic": test.t_value,
        "initial": membership(clubs, len(paths)),
        "merged": membership(reference.merge_clubs(clubs), len(paths)),
        "club_statistics": [club.model.t_value for club in clubs.clubs],
    }
Path("expected/clubs_produc.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
