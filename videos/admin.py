"""What operators see and steer. Read-only where a change would be a lie."""

from __future__ import annotations

import json
import re
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from . import services, tasks
from .charting import chart_of
from .models import Callback, Frame, Generation, Site, User, Video
from .reading import request_of

_SECRET = re.compile(r"(callbacks/luma/|signature=)[^\s\"'&\\/<>]+", re.IGNORECASE)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that tell what happened: looked at, never edited."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def link_to(name: str | None) -> SafeString | str:
    """A link to a stored file, at the address that asks who may see it; or a dash."""
    return format_html('<a href="/files/{}">{}</a>', name, name) if name else "–"


def picture(url: str, height: int = 54) -> SafeString | str:
    """A thumbnail, or a dash."""
    return format_html('<img src="{}" height="{}" alt="" loading="lazy">', url, height) if url else "–"


@admin.register(User)
class StudioUserAdmin(UserAdmin):
    """Django's own, with the user's limit."""

    list_display = (
        *UserAdmin.list_display,  # type: ignore[misc]
        "is_active",
        "generations_per_day",
    )
    fieldsets = (*(UserAdmin.fieldsets or ()), (_("Limits"), {"fields": ("generations_per_day",)}))


class CallbackInline(admin.TabularInline):
    """The callbacks of one generation."""

    model = Callback
    fields = ("received_at", "outcome", "task_id", "trace_id", "readable_body")
    readonly_fields = fields
    extra = 0
    can_delete = False

    @admin.display(description=_("body"))
    def readable_body(self, obj: Callback) -> str:
        return readable(obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin):
    """Every request and where it stands."""

    list_display = ("thumbnail", "short_prompt", "state", "error_code", "owner", "created_at", "finished_at", "action")
    list_display_links = ("thumbnail", "short_prompt")
    list_filter = ("state", "action", "created_at", ("owner", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("owner", "video", "start_frame")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("prompt", "task_id", "trace_id", "video__video_id")
    search_help_text = _("Prompt, task ID, video ID or trace ID")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    actions = ("ask_now", "store_again", "mark_failed")
    inlines = (CallbackInline,)
    fieldsets = (
        (None, {"fields": ("thumbnail", "owner", "state", "error_code", "error_message", "video", "callback_list")}),
        (_("Request"), {"fields": ("action", "prompt", "sent_request", "start_frame", "end_frame", "source")}),
        (_("IDs"), {"fields": ("id", "task_id", "trace_id")}),
        (
            _("Times"),
            {
                "fields": (
                    "created_at",
                    "sent_at",
                    "accepted_at",
                    "notified_at",
                    "found_at",
                    "finished_at",
                    "deleted_at",
                    "next_check_at",
                    "tries",
                )
            },
        ),
    )

    @admin.display(description=_("picture"))
    def thumbnail(self, obj: Generation) -> SafeString | str:
        if obj.video is not None:
            return picture(obj.video.poster_url)
        return picture(f"/files/{obj.start_frame.file.name}" if obj.start_frame else "")

    @admin.display(description=_("prompt"), ordering="prompt")
    def short_prompt(self, obj: Generation) -> str:
        return obj.prompt if len(obj.prompt) <= 80 else obj.prompt[:79] + "…"

    @admin.display(description=_("request"))
    def sent_request(self, obj: Generation) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(dict(request_of(obj)), indent=2, ensure_ascii=False))

    @admin.display(description=_("callbacks"))
    def callback_list(self, obj: Generation) -> SafeString:
        link = reverse("admin:videos_callback_changelist") + f"?generation__id__exact={obj.pk}"
        return format_html('<a href="{}">{}</a>', link, obj.callbacks.count())

    @admin.action(description=_("Ask the provider now"), permissions=["steer"])
    def ask_now(self, request: HttpRequest, queryset: QuerySet[Generation]) -> None:
        self._report(request, services.ask_now(queryset), queryset)

    @admin.action(description=_("Store again"), permissions=["steer"])
    def store_again(self, request: HttpRequest, queryset: QuerySet[Generation]) -> None:
        self._report(request, services.store_again(queryset), queryset)

    @admin.action(description=_("Mark failed"), permissions=["steer"])
    def mark_failed(self, request: HttpRequest, queryset: QuerySet[Generation]) -> None:
        self._report(request, sum(services.mark_failed(generation) for generation in queryset), queryset)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """The rows are read-only, but whoever may change generations may have them looked after."""
        return request.user.has_perm("videos.change_generation")

    def _report(self, request: HttpRequest, count: int, queryset: QuerySet[Generation]) -> None:
        for pk in queryset.values_list("pk", flat=True):
            tasks.wake(pk)
        left_out = queryset.count() - count
        text = ngettext("%d generation taken up.", "%d generations taken up.", count) % count
        if left_out:
            text += " " + ngettext("It makes no sense for %d.", "It makes no sense for %d.", left_out) % left_out
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)


@admin.register(Video)
class VideoAdmin(ReadOnlyAdmin):
    """Finished results, and whether they are home."""

    list_display = ("thumbnail", "__str__", "owner", "size", "duration", "created_at", "stored_at", "expired_at")
    list_display_links = ("thumbnail", "__str__")
    list_filter = (
        ("stored_at", admin.EmptyFieldListFilter),
        ("expired_at", admin.EmptyFieldListFilter),
        "created_at",
        ("owner", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("owner",)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("video_id", "generation__task_id", "generation__prompt")
    ordering = ("-created_at",)
    exclude = ("file", "poster")
    readonly_fields = ("film", "poster_file")

    @admin.display(description=_("picture"))
    def thumbnail(self, obj: Video) -> SafeString | str:
        return picture(obj.poster_url)

    @admin.display(description=_("file"))
    def film(self, obj: Video) -> SafeString | str:
        return link_to(obj.file.name)

    @admin.display(description=_("poster"))
    def poster_file(self, obj: Video) -> SafeString | str:
        return link_to(obj.poster.name)


@admin.register(Frame)
class FrameAdmin(ReadOnlyAdmin):
    """Uploaded images."""

    list_display = ("thumbnail", "owner", "width", "height", "size", "created_at")
    list_filter = ("created_at", ("owner", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("owner",)
    show_full_result_count = False
    search_fields = ("sha256", "owner__username")
    ordering = ("-created_at",)
    exclude = ("file",)
    readonly_fields = ("image",)

    @admin.display(description=_("picture"))
    def thumbnail(self, obj: Frame) -> SafeString | str:
        return picture(f"/files/{obj.file.name}")

    @admin.display(description=_("file"))
    def image(self, obj: Frame) -> SafeString | str:
        return link_to(obj.file.name)


@admin.register(Callback)
class CallbackAdmin(ReadOnlyAdmin):
    """What the provider told us, as it came."""

    list_display = ("received_at", "generation", "outcome", "task_id", "trace_id")
    list_filter = ("outcome", "received_at")
    list_select_related = ("generation",)
    show_full_result_count = False
    search_fields = ("task_id", "trace_id", "generation__id")
    ordering = ("-received_at",)
    fields = ("received_at", "generation", "outcome", "task_id", "trace_id", "readable_body")
    readonly_fields = fields

    @admin.display(description=_("body"))
    def readable_body(self, obj: Callback) -> str:
        return readable(obj)

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup == "generation__id__exact" or super().lookup_allowed(lookup, value, request)


@admin.register(Site)
class SiteAdmin(admin.ModelAdmin):
    """The stop switch, and why submissions pause."""

    list_display = ("__str__", "stopped", "paused_code", "paused_at", "worker_seen_at")
    fields = ("stopped", "paused_code", "paused_message", "paused_at", "next_probe_at", "worker_seen_at")
    readonly_fields = fields[1:]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The health page: there is only one row to list, and this is what there is to know of it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            reached, words = services.self_test()
            self.message_user(request, words, messages.SUCCESS if reached else messages.ERROR)
            return redirect("admin:videos_site_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Health"),
            "opts": self.model._meta,
            "report": services.report(timezone.now()),
            "waiting": tasks.waiting(),
            "chart": chart_of(services.by_day(timezone.now())),
            "public_base_url": settings.PUBLIC_BASE_URL,
            "may_steer": self.has_change_permission(request),
        }
        return TemplateResponse(request, "admin/videos/site/health.html", context)


def readable(notice: Callback) -> str:
    """A raw body as text; bytes that are no UTF-8 are shown as escapes, our own addresses without their secrets."""
    text = bytes(notice.body).decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    return _SECRET.sub(r"\1…", text.replace(notice.generation.callback_token, "…"))
