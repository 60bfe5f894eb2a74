"""The dashboard: configuration and navigation; the pages do the rest."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard.guard import Guard

ICON = (
    Path(__file__).parent / "icon.svg"
)  # a file of our own: named icons would be fetched from a font server
PAGES = (
    ("overview", "Overview", ":material/dashboard:"),
    ("classify", "Classify", ":material/add_photo_alternate:"),
    ("inferences", "Inferences", ":material/bar_chart:"),
    ("review", "Review", ":material/rate_review:"),
    ("quality", "Quality", ":material/verified:"),
    ("rollout", "Rollout", ":material/swap_horiz:"),
    ("executions", "Executions", ":material/timeline:"),
    ("failures", "Failures", ":material/inbox:"),
    ("deployment", "Deployment", ":material/rocket_launch:"),
    ("workflows", "Workflows", ":material/lan:"),
)


def draw() -> None:
    """Draw the page that the address names."""
    from dashboard.shared import components  # noqa: PLC0415 - its caches need the runtime of Streamlit
    from dashboard.workflows import panel as workflows  # noqa: PLC0415 - likewise
    from dashboard.workflows import parts_panel  # noqa: PLC0415 - likewise

    st.set_page_config(page_title="Scones Unlimited", page_icon=str(ICON), layout="wide")
    pages = [
        st.Page(f"app_pages/{name}.py", title=title, icon=icon, url_path=name)
        for name, title, icon in PAGES
    ]

    def home() -> None:
        """The bare address leads to the first page, so that every page has its own address."""
        st.switch_page(pages[0])

    page = st.navigation([*pages, st.Page(home, default=True, visibility="hidden")])
    with components.page_run(), components.explained():
        if cloud := components.cloud():
            components.cloud_badge(cloud)
            workflows.choose()
            if page.url_path == "deployment" and not components.connection().watched.deployed:
                parts_panel.show()
            else:
                page.run()


if st.runtime.exists():
    draw()
else:  # `streamlit run` looks for an app in its file first, and then runs the app's script
    app = st.App(__file__, middleware=[Middleware(Guard)])
