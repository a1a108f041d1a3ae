"""The admin API: users, configuration, calls and live supervision over HTTP, under ``/v1``."""
