"""The product's addresses, and `/noop/`: what Django itself costs, the same middleware included."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from lumasite.urls import *  # noqa: F403
from lumasite.urls import urlpatterns as own


def noop(request: HttpRequest) -> HttpResponse:
    """Nothing."""
    return HttpResponse()


urlpatterns = [path("noop/", noop), *own]
