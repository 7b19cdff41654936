"""Indexes by state, and for what was sent and has no task: SQLite uses a partial index for its own condition alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0001_initial")]

    operations = [
        migrations.RemoveIndex(model_name="generation", name="generation_open"),
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(fields=["state", "-created_at", "-id"], name="generation_in_state"),
        ),
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(
                fields=["sent_at"],
                condition=models.Q(task_id__isnull=True, sent_at__isnull=False),
                name="generation_without_task",
            ),
        ),
    ]
