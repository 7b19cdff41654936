"""What people may ask for, checked field by field before anything is stored or sent."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UserCreationForm
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from . import links, services
from .luma import schema
from .models import Frame, User, Video
from .validators import CleanFrame, clean_frame

TIMEOUT_MIN, TIMEOUT_MAX = 60, 1800
FRAME_TYPES = "image/jpeg,image/png,image/webp,image/heic,image/heif"


def new_submission() -> uuid.UUID:
    """A fresh identity for a form that is about to be shown."""
    return uuid.uuid4()


class FrameField(forms.FileField):
    """An image; cleans to a `CleanFrame`."""

    widget = forms.FileInput(attrs={"accept": FRAME_TYPES})

    def clean(self, data: Any, initial: Any = None) -> CleanFrame | None:
        file = super().clean(data, initial)
        return clean_frame(file, file.size) if file else None


class LinkField(forms.CharField):
    """An address that the provider will fetch; never fetched by us."""

    widget = forms.URLInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=2000, required=kwargs.pop("required", False), **kwargs)

    def clean(self, value: Any) -> str:
        link = str(super().clean(value))
        if link and not links.acceptable(link):
            raise ValidationError(
                _("Give a public web address that begins with https:// (or http://), without a password in it."),
                code="link",
            )
        return link


class OwnFrameField(forms.ModelChoiceField):
    """One of the user's own frames, by its id."""

    widget = forms.HiddenInput

    def __init__(self, **kwargs: Any) -> None:
        message = _("This frame is not among yours any more. Choose another.")
        super().__init__(Frame.objects.none(), required=False, error_messages={"invalid_choice": message}, **kwargs)


class PromptField(forms.CharField):
    """A line break counts once, as it does in the browser."""

    def to_python(self, value: Any) -> str | None:
        return super().to_python(str(value).replace("\r\n", "\n") if value else value)


class SubmissionForm(forms.Form):
    """What generating and extending have in common."""

    prompt = PromptField(
        label=_("Prompt"),
        max_length=schema.PROMPT_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Describe the video that you want.")},
    )
    end_image = FrameField(label=_("End frame"), required=False)
    end_image_url = LinkField(label=_("or its address"))
    loop = forms.BooleanField(label=_("Loop"), required=False, help_text=_("The end flows back into the start."))
    enhancement = forms.BooleanField(
        label=_("Enhance the prompt"), required=False, initial=True, help_text=_("Luma fills in detail by itself.")
    )
    timeout = forms.IntegerField(
        label=_("Time limit"),
        required=False,
        initial=schema.TIMEOUT_DEFAULT,
        min_value=TIMEOUT_MIN,
        max_value=TIMEOUT_MAX,
        help_text=_("Seconds until Luma gives up."),
    )
    submission = forms.UUIDField(widget=forms.HiddenInput, initial=new_submission, required=False)
    end_frame = OwnFrameField()

    action = "generate"
    sides: tuple[str, ...] = ("end",)

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        for side in self.sides:
            cast(OwnFrameField, self.fields[f"{side}_frame"]).queryset = Frame.objects.filter(owner=owner)

    def kept_frame(self, side: str) -> Frame | None:
        """The one of the user's own frames that the form holds for `side`, to show it."""
        value = self[f"{side}_frame"].value()
        if isinstance(value, Frame) or not value:
            return value or None
        try:
            return Frame.objects.filter(owner=self.owner, pk=value).first()
        except ValidationError:
            return None

    @property
    def kept_start_frame(self) -> Frame | None:
        """See `kept_frame`."""
        return self.kept_frame("start") if "start" in self.sides else None

    @property
    def kept_end_frame(self) -> Frame | None:
        """See `kept_frame`."""
        return self.kept_frame("end")

    def clean_prompt(self) -> str:
        return schema.text(self.cleaned_data["prompt"], schema.PROMPT_MAX) or self._no_prompt()

    def clean_timeout(self) -> int:
        return self.cleaned_data["timeout"] or schema.TIMEOUT_DEFAULT

    def clean_submission(self) -> uuid.UUID:
        # A form without one comes from a script: each such request stands for itself.
        return self.cleaned_data["submission"] or new_submission()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for side in self.sides:
            self._check_frame(side, data)
        if data.get("loop") and any(data.get(name) for name in ("end_image", "end_image_url", "end_frame")):
            self.add_error("loop", _("A loop ends where it starts: remove the end frame, or switch the loop off."))
        return data

    def save(self) -> tuple[Any, bool]:
        """Store the frames and the generation; see `services.submit` for what is answered and raised."""
        data = self.cleaned_data
        frames: dict[str, Any] = {}
        for side in self.sides:
            image, frame = data[f"{side}_image"], data[f"{side}_frame"]
            if image or frame:
                frames[f"{side}_frame_id"] = (
                    services.keep_frame(self.owner, image, to_send=True) if image else frame
                ).pk
        asked = services.Asked(
            prompt=data["prompt"],
            action=self.action,
            aspect_ratio=data.get("aspect_ratio", ""),
            loop=data["loop"],
            enhancement=data["enhancement"],
            timeout=data["timeout"],
            start_image_url=data.get("start_image_url", ""),
            end_image_url=data["end_image_url"],
            **frames,
            **self._source(),
        )
        return services.submit(self.owner, asked, data["submission"])

    def _source(self) -> dict[str, Any]:
        return {}

    def _check_frame(self, side: str, data: dict[str, Any]) -> None:
        file, link, frame = (data.get(f"{side}_{kind}") for kind in ("image", "image_url", "frame"))
        if sum(map(bool, (file, link, frame))) > 1:
            self.add_error(f"{side}_image_url", _("Give either a file or an address, not both."))
        elif (file or frame) and services.frame_route() is None:
            self.add_error(
                f"{side}_image",
                _(
                    "The provider can't fetch uploaded frames from this site yet. The operator can set "
                    "PUBLIC_BASE_URL or ACEDATACLOUD_PLATFORM_TOKEN; until then, give the image's address."
                ),
            )

    def _no_prompt(self) -> str:
        raise ValidationError(_("Describe the video that you want."), code="required")


class GenerateForm(SubmissionForm):
    """A new video."""

    aspect_ratio = forms.ChoiceField(
        label=_("Shape"),
        choices=[(r, r) for r in schema.ASPECT_RATIOS],
        initial=schema.ASPECT_RATIO_DEFAULT,
        required=False,
        widget=forms.RadioSelect,
    )
    start_image = FrameField(label=_("Start frame"), required=False)
    start_image_url = LinkField(label=_("or its address"))
    start_frame = OwnFrameField()

    sides = ("start", "end")

    def clean_aspect_ratio(self) -> str:
        return self.cleaned_data["aspect_ratio"] or schema.ASPECT_RATIO_DEFAULT


class ExtendForm(SubmissionForm):
    """Continue one of the user's own videos."""

    action = "extend"

    def __init__(self, *args: Any, source: Video, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.source = source

    def _source(self) -> dict[str, Any]:
        return {"source_id": self.source.pk}


class ExtendByLinkForm(SubmissionForm):
    """Continue a video that lies anywhere."""

    action = "extend"
    video_url = LinkField(label=_("Video link"), required=True)

    field_order = ("video_url", "prompt")

    def _source(self) -> dict[str, Any]:
        return {"source_url": self.cleaned_data["video_url"]}


class LoginForm(AuthenticationForm):
    """Tells the owner of a disabled account so; whoever lacks the password learns nothing."""

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except ValidationError:
            name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
            disabled = User.objects.filter(username=name, is_active=False).first() if name else None
            # For other names a password is hashed too: the time must not tell which accounts are disabled.
            known = (disabled or User(password=UNUSABLE_PASSWORD_PREFIX)).check_password(password or "")
            if disabled is not None and known:
                raise ValidationError(
                    _("This account has been disabled. Ask the operator of this site."), code="inactive"
                ) from None
            raise


class SignupForm(UserCreationForm):
    """An account of one's own."""

    class Meta:
        model = User
        fields = ("username", "email")
