"""Waitress on the socket whose descriptor is given: python serve_waitress.py FD."""

import socket
import sys

import waitress
from shop_flask import app

waitress.serve(app, sockets=[socket.socket(fileno=int(sys.argv[1]))])
