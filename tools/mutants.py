"""Test a random sample of the single changes ("mutants") that mutmut makes in workflow/.

Run: ``make mutants``. A mutant is caught where one of the tests in ``tests/workflow`` that run
through it fails. Prints the change of each mutant that survived and the share caught, and ends with
1 where that is less than ``FLOOR``. The same seed draws the same sample of the same code.
"""

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from multiprocessing import Pool
from pathlib import Path
from typing import Final

FLOOR: Final = 0.7
SOURCE: Final = Path("workflow")
MUTMUT: Final = (sys.executable, "-m", "mutmut")
SURVIVED: Final = frozenset({0, 33})
"""What mutmut records where the tests pass, and where no test runs through the change. Other exit
codes are a failure, a crash or a loop without end, which a developer would notice."""


def mutants_in(path: Path) -> list[str]:
    """Return mutmut's names of all mutants of a file."""
    from mutmut.mutation.file_mutation import mutate_file_contents  # noqa: PLC0415 - an extra
    from mutmut.utils.format_utils import get_mutant_name  # noqa: PLC0415 - an extra

    mutated = mutate_file_contents(str(path), path.read_text())
    return [get_mutant_name(path, name) for name in mutated.mutant_names]


def exit_codes(folder: Path) -> dict[str, int | None]:
    """Return what mutmut recorded for each mutant in its folder; None where it was not tried."""
    found = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.meta"))]
    return {name: code for each in found for name, code in each["exit_code_by_key"].items()}


def caught_share(codes: Mapping[str, int | None]) -> float:
    """Return the share of mutants that a test caught; 0 without any mutant."""
    return sum(code not in SURVIVED for code in codes.values()) / len(codes) if codes else 0.0


def by_module(codes: Mapping[str, int | None]) -> list[str]:
    """Return a line for each module with a survivor, the most survivors first."""
    tried = Counter(name.rsplit(".", 1)[0] for name in codes)
    survived = Counter(name.rsplit(".", 1)[0] for name, code in codes.items() if code in SURVIVED)
    return [f"{count:4} of {tried[name]} in {name}" for name, count in survived.most_common()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, run and report; return 1 where fewer than ``FLOOR`` were caught."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    with Pool(2) as pool:
        found = pool.map(mutants_in, sorted(SOURCE.rglob("*.py")), chunksize=1)
    names = sorted(chain.from_iterable(found))
    sample = random.Random(chosen.seed).sample(names, min(chosen.count, len(names)))  # noqa: S311
    print(f"{len(sample)} of {len(names)} mutants, seed {chosen.seed}", flush=True)
    if subprocess.run([*MUTMUT, "run", "--max-children", "2", *sample], check=False).returncode:
        return 1
    codes = exit_codes(Path("mutants"))
    codes = {name: codes[name] for name in sample}
    for name in sorted(name for name in sample if codes[name] in SURVIVED):
        subprocess.run([*MUTMUT, "show", name], check=True)
    print("Survived:", *by_module(codes), sep="\n")
    share = caught_share(codes)
    print(f"{share:.1%} of {len(codes)} mutants caught (seed {chosen.seed})")
    return int(share < FLOOR)


if __name__ == "__main__":
    sys.exit(main())
