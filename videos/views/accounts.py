"""Accounts: what Django's own views don't do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.views import PasswordResetView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from ..forms import SignupForm


@require_http_methods(["GET", "POST"])
def signup(request: HttpRequest) -> HttpResponse:
    """Make an account and sign in, where `SIGNUP_OPEN`; else say who can make one."""
    if request.user.is_authenticated:
        return redirect("gallery")
    if not settings.SIGNUP_OPEN:
        return TemplateResponse(request, "registration/signup_closed.html", status=403)
    form = SignupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = form.save()
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("gallery")
    return TemplateResponse(request, "registration/signup.html", {"form": form})


class PasswordReset(PasswordResetView):
    """Mail a link that sets a new password; without a mail server, say whom to ask."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.MAIL_CONFIGURED:
            return TemplateResponse(request, "registration/password_reset_closed.html")
        return super().dispatch(request, *args, **kwargs)
