"""The dashboard: configuration and navigation; the pages do the rest."""

import gc
import sys
import threading
from importlib import import_module
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard.access import session
from dashboard.access.model import Mode
from dashboard.access.uploads import MAX_HELD_BYTES, MAX_HELD_BYTES_OF_READERS, UploadLimit
from dashboard.guard import Guard
from dashboard.static_compression import StaticCompression
from workflow.errors import WorkflowError

NAME = "Scones Unlimited"
HERE = Path(__file__).parent
ICON = HERE / "icon.svg"  # a file of our own: named icons would be fetched from a font server
PAGES = (
    ("overview", "Overview", ":material/dashboard:"),
    ("classify", "Classify", ":material/add_photo_alternate:"),
    ("batch", "Batch", ":material/stacks:"),
    ("inferences", "Inferences", ":material/bar_chart:"),
    ("review", "Review", ":material/rate_review:"),
    ("quality", "Quality", ":material/verified:"),
    ("rollout", "Rollout", ":material/swap_horiz:"),
    ("executions", "Executions", ":material/timeline:"),
    ("failures", "Failures", ":material/inbox:"),
    ("alerts", "Alerts", ":material/notifications:"),
    ("deployment", "Deployment", ":material/rocket_launch:"),
    ("audit", "Audit", ":material/history_edu:"),
    ("workflows", "Workflows", ":material/lan:"),
    ("lab", "Lab", ":material/science:"),
)

DARK_ON_PRIMARY = (
    "<style>:is(button, a)[data-testid*=Button-primary]:not(:disabled) {color: #10151C}</style>"
)
# Streamlit writes white on the primary colour, which is pale in the dark theme, where it is that of
# text too: no colour is dark enough for the one and pale enough for the other.

DEPLOYED_ONLY = frozenset({"batch", "rollout", "alerts"})
# Pages about resources that only ``deploy`` makes: they would show those beside another name. (A
# docstring here would be drawn on every page.)


def draw_page() -> None:
    """Draw the page that the address names."""
    from dashboard import login_panel  # noqa: PLC0415 - likewise
    from dashboard.class_names import panel as class_names  # noqa: PLC0415 - likewise
    from dashboard.demonstration import panel as demonstration  # noqa: PLC0415 - likewise
    from dashboard.overview import alert_checks  # noqa: PLC0415 - likewise
    from dashboard.shared import components, page_address, time_range_panel  # noqa: PLC0415 - its caches do too
    from dashboard.workflows import panel as workflows  # noqa: PLC0415 - likewise
    from dashboard.workflows import parts_panel  # noqa: PLC0415 - likewise

    theme = "dark" if st.context.theme.type == "dark" else "light"
    st.logo(str(HERE / f"logo-{theme}.svg"), size="large", icon_image=str(ICON))
    if theme == "dark":
        st.html(DARK_ON_PRIMARY)
    pages = [
        st.Page(f"app_pages/{name}.py", title=title, url_path=name) for name, title, _ in PAGES
    ]

    def home() -> None:
        """Lead from the bare address to the first page, so that every page has its own address."""
        asked = {name: st.query_params.get_all(name) for name in st.query_params}
        st.switch_page(pages[0], query_params=asked)

    # With an icon of its own, a page would have the browser fetch that from a font server.
    page = st.navigation([*pages, st.Page(home, default=True)], position="hidden")
    title = f"{page.title} · {NAME}" if page.title else NAME
    st.set_page_config(page_title=title, page_icon=str(ICON), layout="wide")
    hidden = {"lab"} if demonstration.find_controls() is None else set()
    with st.sidebar, st.container(gap="xsmall"):
        for one, (name, _, icon) in zip(pages, PAGES, strict=True):
            if name not in hidden:
                st.page_link(one, icon=icon, width="stretch")
    with components.page_run(), components.show_errors():
        if login_panel.check_admitted() and (cloud := components.get_cloud()):
            components.cloud_badge(cloud)
            workflows.choose_workflow()
            class_names.follow_deployed()
            demonstration.show_mark()
            page_address.begin_page(page.url_path)
            time_range_panel.zone_picker()
            alert_checks.hand_over_checks()
            deployed = components.connection().watched.deployed
            if page.url_path == "deployment" and not deployed:
                parts_panel.show_parts()
            elif page.url_path in DEPLOYED_ONLY and not deployed:
                parts_panel.not_ours(page.title)
            else:
                page.run()


def find_mode() -> Mode:
    """Return how people are told apart; end the process where that leaves it open to others."""
    try:
        return session.access_at_start().mode
    except WorkflowError as error:
        sys.exit(f"{error.code}: {error.message}\n{error.remedy}")


def load_libraries() -> None:
    """Import what pages need and takes seconds, while nobody waits for a page yet."""
    for name in ("polars", "pandas", "boto3", "obstore", "plotly.graph_objects"):
        import_module(name)
    import_module("plotly.graph_objects").Figure().add_bar().add_scatter().update_layout(title="")
    # What was imported stays: looking through it for garbage would hold up every page for 0.3 s.
    gc.freeze()


if st.runtime.exists():
    draw_page()
else:  # `streamlit run` looks for an app in its file first, and then runs the app's script
    threading.Thread(target=load_libraries, name="libraries", daemon=True).start()
    mode = find_mode()
    held = MAX_HELD_BYTES_OF_READERS if mode is Mode.READ_ONLY else MAX_HELD_BYTES
    app = st.App(
        __file__,
        middleware=[
            Middleware(Guard, is_open=mode is Mode.OPEN),
            Middleware(UploadLimit, max_held_bytes=held),
            Middleware(StaticCompression),
        ],
    )
