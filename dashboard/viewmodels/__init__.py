"""Data for each page, without Streamlit."""
