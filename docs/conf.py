"""How Sphinx makes the documentation; ``make docs`` says with which options."""

import sys
from pathlib import Path

import clusterlib

sys.path.insert(0, str(Path(__file__).resolve().parent))

project = "clusterlib"
author = "The clusterlib developers"
version = release = clusterlib.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "house"]
exclude_patterns = ["_build", "generated/_*"]
templates_path = ["_templates"]
# A reference that leads nowhere is an error.
nitpicky = True
# What docstrings say of modules that are not for users, and of other packages, has no page here.
nitpick_ignore_regex = [("py:.*", r"(?!clusterlib\.[a-z]).*\..*")]

myst_enable_extensions = ["attrs_inline", "deflist", "dollarmath"]
myst_heading_anchors = 3
math_renderer = html_math_renderer = "mathml"

autodoc_typehints = "none"
autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "clusterlib"
html_static_path = ["_static"]
html_css_files = ["house.css"]
html_show_sourcelink = False
html_copy_source = False
# Excerpts would be fetched from pages, which no browser allows from a folder.
html_show_search_summary = False
html_theme_options = {
    "navbar_end": ["language", "theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "navigation_with_keys": False,
    # Its buttons that open a branch have no name.
    "collapse_navigation": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_show_copyright = False
