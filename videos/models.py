"""The rows. A generation's state is written by `Generation.objects.move` alone."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .luma import schema
from .states import IN_FLIGHT, TERMINAL, State, sources

FARTHEST, FARTHEST_QUEUED = timedelta(hours=1, minutes=10), timedelta(minutes=15)


class User(AbstractUser):
    """A person. `generations_per_day` overrules the setting of that name; 0 means no limit."""

    generations_per_day = models.PositiveIntegerField(
        _("generations per day"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(1_000_000)],
        help_text=_("Over a rolling 24 hours. Empty: the site's own limit. 0: no limit."),
    )


class Frame(models.Model):
    """An uploaded image, re-encoded; one row for each content and owner."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="frames")
    sha256 = models.CharField(max_length=64)
    file = models.FileField(max_length=200)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField(help_text=_("bytes"))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("frame")
        verbose_name_plural = _("frames")
        constraints = [models.UniqueConstraint(fields=["owner", "sha256"], name="frame_once_per_owner")]

    def __str__(self) -> str:
        return f"{self.width}×{self.height} {self.id}"


class Video(models.Model):
    """A finished result. It is home once `stored_at` is set; until then the provider's link is all there is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="videos")
    video_id = models.CharField(_("video ID"), max_length=128, blank=True, db_index=True)
    video_url = models.TextField(_("provider's link"))
    thumbnail_url = models.TextField(blank=True)
    link_vouched = models.BooleanField(
        default=False, help_text=_("The link came from the provider's own API, not by callback.")
    )
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    duration = models.FloatField(null=True, help_text=_("seconds"))
    size = models.PositiveBigIntegerField(null=True, help_text=_("bytes"))
    file = models.FileField(max_length=200, blank=True)
    poster = models.FileField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    stored_at = models.DateTimeField(null=True, blank=True)
    expired_at = models.DateTimeField(null=True, blank=True)
    store_tries = models.PositiveIntegerField(default=0)
    store_error = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = _("video")
        verbose_name_plural = _("videos")

    def __str__(self) -> str:
        return self.video_id or str(self.id)

    @property
    def at_rest(self) -> bool:
        """Whether nothing more will be done to bring it home."""
        return bool(self.stored_at or self.expired_at)

    @property
    def play_url(self) -> str:
        """Where a browser finds the film: here once it is home, until then at the provider."""
        if self.stored_at:
            return f"/files/{self.file.name}"
        return "" if self.expired_at else self.video_url

    @property
    def poster_url(self) -> str:
        """A picture of the film, or "" where there is none."""
        if self.stored_at:
            return f"/files/{self.poster.name}"
        return "" if self.expired_at else self.thumbnail_url


class GenerationQuerySet(models.QuerySet["Generation"]):
    """Reads as intent; and holds the one way to change a state."""

    def move(self, pk: uuid.UUID, target: State, **fields: Any) -> bool:
        """Bring the row to `target`, with `fields`, if its state allows that; whether it did.

        One conditional UPDATE: of any number of callers, in any number of processes, one gets True.
        """
        return bool(self.filter(pk=pk, state__in=sources(target)).update(state=target, **fields))

    def fail(self, pk: uuid.UUID, code: str, message: str, **fields: Any) -> bool:
        """`move` to failed, at rest, with what is told to the user and why."""
        ended: dict[str, Any] = {"finished_at": timezone.now(), "next_check_at": None, **fields}
        return self.move(pk, State.FAILED, error_code=code, error_message=message, **ended)

    def claim(self, pk: uuid.UUID, states: list[State], now: datetime, lease: timedelta) -> bool:
        """Take a due row, still in `states`, for `lease`; whether this caller got it. A killed holder's lease ends."""
        return bool(self.due(now, *states).filter(pk=pk).update(next_check_at=now + lease))

    def due(self, now: datetime, *states: State) -> GenerationQuerySet:
        """Rows (of `states`, if given) that need work at `now`, or whose time is too far off: the clock went back."""
        far = Q(next_check_at__gt=now + FARTHEST) | Q(state=State.QUEUED, next_check_at__gt=now + FARTHEST_QUEUED)
        rows = self.filter(Q(next_check_at__lte=now) | far)
        # Told by what they are not: SQLite would go through all that ever failed rather than through what is due.
        return rows.exclude(state__in=set(State) - set(states)) if states else rows

    def in_flight(self, now: datetime) -> GenerationQuerySet:
        """Rows that hold one of the provider's slots."""
        return self.filter(state__in=IN_FLIGHT, slot_until__gt=now)

    def shown_to(self, owner: Any) -> GenerationQuerySet:
        """What `owner` sees: their own, not deleted."""
        return self.filter(owner=owner, deleted_at__isnull=True)


def new_callback_token() -> str:
    """256 random bits, safe in a URL."""
    return secrets.token_urlsafe(32)


class Generation(models.Model):
    """One request of a user: what was asked, where it stands, why it failed."""

    class Action(models.TextChoices):
        GENERATE = "generate", _("Generate")
        EXTEND = "extend", _("Extend")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="generations", db_index=False)
    submission_key = models.UUIDField(editable=False)

    action = models.CharField(max_length=8, choices=Action.choices, default=Action.GENERATE)
    prompt = models.TextField()
    aspect_ratio = models.CharField(max_length=5, blank=True, choices=[(r, r) for r in schema.ASPECT_RATIOS])
    loop = models.BooleanField(default=False)
    enhancement = models.BooleanField(default=True)
    timeout = models.PositiveIntegerField(default=schema.TIMEOUT_DEFAULT, help_text=_("seconds"))
    start_frame = models.ForeignKey(Frame, models.PROTECT, null=True, blank=True, related_name="+")
    end_frame = models.ForeignKey(Frame, models.PROTECT, null=True, blank=True, related_name="+")
    start_image_url = models.TextField(blank=True)
    end_image_url = models.TextField(blank=True)
    source = models.ForeignKey(Video, models.PROTECT, null=True, blank=True, related_name="extensions")
    source_url = models.TextField(_("source link"), blank=True)

    state = models.CharField(max_length=11, choices=State.choices, default=State.QUEUED, editable=False)
    video = models.OneToOneField(
        Video, models.PROTECT, null=True, blank=True, editable=False, related_name="generation"
    )
    task_id = models.CharField(_("task ID"), max_length=128, null=True, blank=True, unique=True)
    trace_id = models.CharField(_("trace ID"), max_length=128, blank=True, db_index=True)
    callback_token = models.CharField(max_length=64, unique=True, editable=False, default=new_callback_token)
    request_body = models.JSONField(null=True, blank=True, editable=False)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    tries = models.PositiveIntegerField(default=0, help_text=_("How often the present step was tried."))

    created_at = models.DateTimeField(_("asked"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    notified_at = models.DateTimeField(_("notified"), null=True, blank=True)
    found_at = models.DateTimeField(_("found"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)
    slot_until = models.DateTimeField(null=True, blank=True, editable=False)
    next_check_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = GenerationQuerySet.as_manager()

    place: int | None = None
    held = False
    """Its place in line, and whether the provider wants nothing just now, where a view has looked; no columns."""

    class Meta:
        verbose_name = _("generation")
        verbose_name_plural = _("generations")
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="generation_gallery"),
            models.Index(fields=["owner", "state", "-created_at", "-id"], name="generation_by_state"),
            models.Index(fields=["-created_at"], name="generation_newest"),
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="generation_due"),
            models.Index(fields=["state", "-created_at", "-id"], name="generation_in_state"),
            models.Index(
                fields=["sent_at"],
                condition=Q(task_id__isnull=True, sent_at__isnull=False),
                name="generation_without_task",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["owner", "submission_key"], name="generation_once_per_submission"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="generation_state_known"),
            models.CheckConstraint(
                condition=Q(state=State.COMPLETED, video__isnull=False)
                | (~Q(state=State.COMPLETED) & Q(video__isnull=True)),
                name="generation_completed_has_video",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[State.QUEUED, State.FAILED, State.COMPLETED])
                | Q(sent_at__isnull=False, request_body__isnull=False, slot_until__isnull=False),
                name="generation_sent_says_what",
            ),
            models.CheckConstraint(condition=~Q(prompt=""), name="generation_has_prompt"),
            models.CheckConstraint(
                condition=Q(action="generate", source__isnull=True, source_url="")
                | Q(action="extend", start_frame__isnull=True, start_image_url=""),
                name="generation_action_fits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prompt[:60]} ({self.state})"

    @property
    def open(self) -> bool:
        """Whether its card may still change."""
        return self.state not in TERMINAL or (self.video is not None and not self.video.at_rest)

    @property
    def stamp(self) -> str:
        """Changes whenever its card shows something else."""
        home = "" if self.video is None else ("stored" if self.video.stored_at else str(bool(self.video.expired_at)))
        return f"{self.state}.{home}.{self.error_code}.{'held' if self.held else self.place or ''}"


class Callback(models.Model):
    """An inbound notice of the provider, as it came; kept apart from what it changed."""

    class Outcome(models.TextChoices):
        APPLIED = "applied", _("Applied")
        UNCHANGED = "unchanged", _("Changed nothing")
        OTHER_TASK = "other_task", _("Names another task")
        UNREADABLE = "unreadable", _("Could not be read")

    generation = models.ForeignKey(Generation, models.CASCADE, related_name="callbacks")
    received_at = models.DateTimeField(default=timezone.now, db_index=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    task_id = models.CharField(_("task ID"), max_length=128, blank=True)
    trace_id = models.CharField(_("trace ID"), max_length=128, blank=True)
    body = models.BinaryField(blank=True)

    class Meta:
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")

    def __str__(self) -> str:
        return f"{self.received_at:%Y-%m-%d %H:%M:%S} {self.outcome}"


class Site(models.Model):
    """What all processes must agree on: one row, made after each migration."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    stopped = models.BooleanField(
        _("stop all"),
        default=False,
        help_text=_("Nothing new is sent to the provider. What is out is still brought home."),
    )
    paused_code = models.CharField(max_length=64, blank=True, editable=False)
    paused_message = models.TextField(blank=True, editable=False)
    paused_at = models.DateTimeField(null=True, editable=False)
    next_probe_at = models.DateTimeField(null=True, editable=False)
    hold_until = models.DateTimeField(null=True, editable=False)
    next_ask_at = models.DateTimeField(null=True, editable=False)
    worker_seen_at = models.DateTimeField(null=True, editable=False)
    provider_answered_at = models.DateTimeField(null=True, editable=False)
    provider_failed_at = models.DateTimeField(null=True, editable=False)
    provider_fault = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        verbose_name = _("submissions")
        verbose_name_plural = _("submissions")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="site_is_one_row")]

    def __str__(self) -> str:
        return str(_("Submissions"))
