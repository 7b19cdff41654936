"""The public surface."""

from django.contrib.auth import views as auth
from django.urls import path

from . import callbacks, views
from .forms import LoginForm

urlpatterns = [
    path("", views.gallery, name="gallery"),
    path("generations/", views.generate, name="generate"),
    path("generations/live/", views.live, name="live"),
    path("generations/extend/", views.extend_by_link, name="extend_by_link"),
    path("generations/<uuid:pk>/", views.generation_detail, name="generation"),
    path("generations/<uuid:pk>/retry/", views.retry, name="retry"),
    path("generations/<uuid:pk>/delete/", views.delete, name="delete"),
    path("videos/<uuid:pk>/extend/", views.extend, name="extend"),
    path("videos/<uuid:pk>/frame/", views.use_frame, name="use_frame"),
    path("frames/", views.frames, name="frames"),
    path("you/", views.you, name="you"),
    path("status/", views.status, name="status"),
    path("files/<path:name>", views.file, name="file"),
    path("callbacks/luma/<str:token>/", callbacks.callback, name="callback"),
    path("callbacks/luma/<str:token>", callbacks.callback),
    path("healthz/", views.healthz, name="healthz"),
    path("accounts/signup/", views.signup, name="signup"),
    path(
        "accounts/login/",
        auth.LoginView.as_view(redirect_authenticated_user=True, authentication_form=LoginForm),
        name="login",
    ),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("accounts/password/", auth.PasswordChangeView.as_view(), name="password_change"),
    path("accounts/password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("accounts/reset/", views.PasswordReset.as_view(), name="password_reset"),
    path("accounts/reset/done/", auth.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path("accounts/reset/<uidb64>/<token>/", auth.PasswordResetConfirmView.as_view(), name="password_reset_confirm"),
    path("accounts/reset/complete/", auth.PasswordResetCompleteView.as_view(), name="password_reset_complete"),
]
