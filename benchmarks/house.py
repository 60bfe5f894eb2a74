"""Measure how the code is arranged and named: ``python -m benchmarks.house fad45fa HEAD``.

Prints a Markdown table with a column for each commit. Tests and benchmarks are left out; what it
counts is said in ``ROWS``.
"""

import ast
import io
import re
import subprocess
import sys
import tarfile
import tokenize
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

PACKAGES = ("workflow", "lambdas", "deploy", "dashboard", "localcloud")
COMMITS = 100
"""How many commits before the measured one are asked for their subject and folders."""
LONG = 400
PAGE = "dashboard.app_pages.inferences"
READERS = ("workflow.captures", "workflow.capture_lines")
"""Modules that read the lines of a capture object, by their names so far."""


def git(*arguments: str) -> bytes:
    """Return what git prints.

    Raises:
        subprocess.CalledProcessError: git failed; it has said why.
    """
    return subprocess.run(["git", *arguments], check=True, stdout=subprocess.PIPE).stdout


@dataclass
class House:
    """The product's modules at a commit, by name."""

    commit: str

    @cached_property
    def sources(self) -> dict[str, str]:
        """Source text by the name of the module."""
        found = {}
        with tarfile.open(fileobj=io.BytesIO(git("archive", self.commit, *PACKAGES))) as archive:
            for entry in archive:
                name, python, _ = entry.name.partition(".py")
                if python and (file := archive.extractfile(entry)) is not None:
                    name = name.removesuffix("/__init__").replace("/", ".")
                    found[name] = file.read().decode()
        return found

    @cached_property
    def nodes(self) -> list[tuple[str, ast.AST]]:
        """Every node of every syntax tree, with the name of its module."""
        trees = ((name, ast.parse(text)) for name, text in self.sources.items())
        return [(name, node) for name, tree in trees for node in ast.walk(tree)]

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """The product's modules that each module imports, also inside functions."""
        arrows: dict[str, set[str]] = {name: set() for name in self.sources}
        for name, node in self.nodes:
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
            else:
                continue
            arrows[name] |= {module for module in wanted if module in self.sources} - {name}
        return arrows

    def reachable(self, start: str) -> dict[str, int]:
        """Modules that a module imports, also by way of others, with the number of steps."""
        steps, waiting = {start: 0}, deque([start])
        while waiting:
            here = waiting.popleft()
            for there in self.imports.get(here, set()) - steps.keys():
                steps[there] = steps[here] + 1
                waiting.append(there)
        return steps

    def defined(self, *kinds: type[ast.AST]) -> Iterator[tuple[str, str]]:
        """Names that are defined, with their module; those that Python gives are left out."""
        for module, node in self.nodes:
            if isinstance(node, kinds):
                name = str(getattr(node, "name", ""))
                if not name.startswith("__"):
                    yield module, name


def one_word_functions(house: House) -> str:
    """Share of functions and methods whose name is one word."""
    names = [name for _, name in house.defined(ast.FunctionDef, ast.AsyncFunctionDef)]
    return percent(sum("_" not in name.strip("_") for name in names), len(names))


def one_word_classes(house: House) -> str:
    """Share of classes whose name is one word."""
    names = [name for _, name in house.defined(ast.ClassDef)]
    words = (re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", name) for name in names)
    return percent(sum(len(found) <= 1 for found in words), len(names))


def shared_class_names(house: House) -> str:
    """Names of public classes that two or more modules define."""
    modules = Counter(name for _, name in set(house.defined(ast.ClassDef)) if name[0] != "_")
    return str(sum(count > 1 for count in modules.values()))


def comment_lines(house: House) -> str:
    """Share of lines that hold a comment and nothing else."""
    comments = total = 0
    for text in house.sources.values():
        total += text.count("\n")
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            comments += token.type == tokenize.COMMENT and token.line.lstrip().startswith("#")
    return percent(comments, total, digits=1)


def long_files(house: House) -> str:
    """Files of more than 400 lines."""
    return str(sum(text.count("\n") > LONG for text in house.sources.values()))


def hops(house: House) -> str:
    """Fewest imports from the Inferences page to the reader of capture lines."""
    steps = house.reachable(PAGE)
    return str(min((steps[name] for name in READERS if name in steps), default="none"))


def arrows_of_modules(house: House) -> str:
    """Imports of one module by another."""
    return str(sum(map(len, house.imports.values())))


def arrows_of_folders(house: House) -> str:
    """Pairs of folders of which one imports from the other."""
    pairs = {
        (here.rpartition(".")[0], there.rpartition(".")[0])
        for here, wanted in house.imports.items()
        for there in wanted
    }
    return str(sum(here != there for here, there in pairs))


def in_circles(house: House) -> str:
    """Modules that import themselves by way of others."""
    return str(
        sum(
            any(name in house.reachable(there) for there in wanted)
            for name, wanted in house.imports.items()
        )
    )


def subjects(house: House) -> str:
    """Mean length of the subjects of the last 100 commits."""
    lines = git("log", f"-{COMMITS}", "--format=%s", house.commit).decode().splitlines()
    return f"{sum(map(len, lines)) / len(lines):.0f}"


def folders_touched(house: House) -> str:
    """Folders of the dashboard that a commit touches: mean of those that touch one, moves aside."""
    log = git("log", f"-{COMMITS}", "-M", "--diff-filter=AM", "--format=%x00", "--name-only",
              house.commit, "--", "dashboard").decode()  # fmt: skip
    touched = [
        {tuple(path.split("/")[1:-1][:1]) for path in one.split()} for one in log.split("\0")
    ]
    counts = [len(folders) for folders in touched if folders]
    return f"{sum(counts) / len(counts):.2f}" if counts else "none"


def percent(part: int, whole: int, *, digits: int = 0) -> str:
    """Return a share as text."""
    return f"{part / whole:.{digits}%}"


ROWS: tuple[Callable[[House], str], ...] = (
    one_word_functions,
    one_word_classes,
    shared_class_names,
    comment_lines,
    long_files,
    hops,
    arrows_of_modules,
    arrows_of_folders,
    in_circles,
    folders_touched,
    subjects,
)


def main() -> None:
    """Print the table."""
    houses = [House(commit) for commit in sys.argv[1:] or ["HEAD"]]
    print("| |", " | ".join(house.commit for house in houses), "|")
    print("|---|" + "---|" * len(houses))
    for row in ROWS:
        print("|", (row.__doc__ or "").rstrip("."), "|", " | ".join(map(row, houses)), "|")


if __name__ == "__main__":
    main()
