from django.db import migrations


class Migration(migrations.Migration):
    """The table of Django's database cache, as `createcachetable` would make it.

    In a migration because the role that runs the application may not create tables.
    """

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql=[
                """
                CREATE TABLE IF NOT EXISTS kalas_cache (
                    cache_key varchar(255) NOT NULL PRIMARY KEY,
                    value text NOT NULL,
                    expires timestamp with time zone NOT NULL
                )
                """,
                "CREATE INDEX IF NOT EXISTS kalas_cache_expires ON kalas_cache (expires)",
            ],
            reverse_sql="DROP TABLE kalas_cache",
        )
    ]
