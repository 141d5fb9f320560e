"""How the pages are made: `tox -e docs`, or `sphinx-build -W docs docs/_build/html`."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
sys.path.append(str(Path(__file__).parent.parent))  # for tests.rooms

project = "cvec_circus"
copyright = "the cvec_circus maintainers"
release = version = version_of("cvec-circus")

extensions = ["circus_reference", "sphinx.ext.autodoc"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
exclude_patterns = ["_build", "examples/**/README.md"]
default_role = "literal"
highlight_language = "none"

html_theme = "furo"
html_title = f"cvec_circus {release}"
html_copy_source = False
