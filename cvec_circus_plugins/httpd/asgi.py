"""``cvec_circus_plugins.httpd.asgi:app``: the console for an ASGI server that imports it.

Its settings are read from the environment, see `settings.VARIABLE`.
"""

from __future__ import annotations

import os

from cvec_circus_plugins.httpd.app import create_app
from cvec_circus_plugins.httpd.settings import from_environment

app = create_app(from_environment(os.environ))
