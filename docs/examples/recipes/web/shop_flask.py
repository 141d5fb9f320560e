"""A Flask application."""

import os

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> str:
    """Tell which process answers."""
    return f"{os.getpid()}\n"
