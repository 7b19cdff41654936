"""Accounts: what Django's own views don't do."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.views import PasswordResetView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from lumasite import clients

from .. import services, tasks
from ..forms import SignupForm

logger = logging.getLogger(__name__)


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
    """Have a link mailed that sets a new password; without a mail server, say whom to ask.

    The answer, and the time that it takes, are the same for known, unknown and too often repeated addresses.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.MAIL_CONFIGURED:
            return TemplateResponse(request, "registration/password_reset_closed.html")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        """Leave the look-up and the mail to the worker."""
        address, request = form.cleaned_data["email"], self.request
        try:
            if services.may_reset(address, clients.address(request)):
                tasks.mail_reset(address, request.get_host(), request.is_secure(), get_language() or "en")
        except Exception:
            logger.exception("the queue, or the cache, can't be reached")
            form.add_error(None, _("No mail could be sent just now. Please try again in a few minutes."))
            return self.form_invalid(form)
        return redirect(self.get_success_url())
