"""Alembic's migrations, run by :mod:`dqa.store.migrate`; one file a change, never edited once released."""
