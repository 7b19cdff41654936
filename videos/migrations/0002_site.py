from django.db import migrations


def make(apps, schema_editor):
    apps.get_model("videos", "Site").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("videos", "0001_initial")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
