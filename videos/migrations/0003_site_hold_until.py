"""Until when nobody is sent, after a 429."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0002_indexes")]

    operations = [
        migrations.AddField(
            model_name="site", name="hold_until", field=models.DateTimeField(editable=False, null=True)
        ),
    ]
