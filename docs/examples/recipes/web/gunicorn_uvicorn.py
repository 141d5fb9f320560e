"""Configures gunicorn's uvicorn workers: they answer what they have accepted before they stop."""

import uvicorn.workers
from serve_uvicorn import PatientServer

uvicorn.workers.Server = PatientServer
worker_class = "uvicorn.workers.UvicornH11Worker"
