"""The dashboard: configuration and navigation; the pages do the rest."""

from pathlib import Path

import streamlit as st

from dashboard import components

HERE = Path(__file__).parent
ICON = HERE / "icon.svg"  # a file of our own: named icons would be fetched from a font server
PAGES = {
    "Workflow": (
        ("overview", "Overview", ":material/dashboard:"),
        ("classify", "Classify", ":material/add_photo_alternate:"),
        ("deployment", "Deployment", ":material/rocket_launch:"),
    ),
    "Watch": (
        ("inferences", "Inferences", ":material/bar_chart:"),
        ("executions", "Executions", ":material/timeline:"),
        ("failures", "Failures", ":material/inbox:"),
        ("review", "Review", ":material/rate_review:"),
    ),
}


def _page(name: str, title: str, icon: str) -> st.Page:
    return st.Page(f"app_pages/{name}.py", title=title, icon=icon, url_path=name)


st.set_page_config(page_title="Scones Unlimited", page_icon=str(ICON), layout="wide")
page = st.navigation(
    {
        section: [_page(*page) for page in pages if (HERE / "app_pages" / f"{page[0]}.py").exists()]
        for section, pages in PAGES.items()
    }
)
with components.explained():
    components.cloud_badge(components.connection().cloud)
    page.run()
