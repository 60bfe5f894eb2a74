"""The dashboard: configuration and navigation; the pages do the rest."""

from pathlib import Path

import streamlit as st

from dashboard import components

ICON = (
    Path(__file__).parent / "icon.svg"
)  # a file of our own: named icons would be fetched from a font server
PAGES = (
    ("overview", "Overview", ":material/dashboard:"),
    ("classify", "Classify", ":material/add_photo_alternate:"),
    ("inferences", "Inferences", ":material/bar_chart:"),
    ("executions", "Executions", ":material/timeline:"),
    ("failures", "Failures", ":material/inbox:"),
    ("deployment", "Deployment", ":material/rocket_launch:"),
)


def home() -> None:
    """The bare address leads to the first page, so that every page has an address of its own."""
    st.switch_page(pages[0])


st.set_page_config(page_title="Scones Unlimited", page_icon=str(ICON), layout="wide")
pages = [
    st.Page(f"app_pages/{name}.py", title=title, icon=icon, url_path=name)
    for name, title, icon in PAGES
]
page = st.navigation([*pages, st.Page(home, default=True, visibility="hidden")])
with components.page_run(), components.explained():
    components.cloud_badge(components.connection().cloud)
    page.run()
