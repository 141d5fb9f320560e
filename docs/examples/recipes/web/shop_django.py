"""A Django application in one file; with a project it is the module that manage.py has made."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY=os.environ["SECRET_KEY"])


def index(request: HttpRequest) -> HttpResponse:
    """Tell which process answers."""
    return HttpResponse(f"{os.getpid()}\n", content_type="text/plain")


urlpatterns = [path("", index)]
application = get_wsgi_application()
