"""The Streamlit dashboard: edges to AWS, pure view models, and pages."""
