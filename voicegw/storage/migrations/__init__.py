"""Every change of the tables since the first release, for Alembic. Run by ``Database.migrate``, never by hand."""
