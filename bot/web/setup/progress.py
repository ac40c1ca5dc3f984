"""`/setup` after the restart: the last two steps, for the browser that set TinyGen up and for nobody
else."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from flask import Response
from flask_openapi3.openapi import OpenAPI
from werkzeug.exceptions import NotFound

from bot.errors import DatabaseFailed
from bot.ports import SetupRecords
from bot.web.calls import now_text
from bot.web.pages import page
from bot.web.setup.guard import PATH, is_session_of


class FirstDelivery:
    """Notes the first signed delivery after a set-up. Costs one look into the database for each
    process."""

    def __init__(self, setups: SetupRecords) -> None:
        self._setups, self._is_noted = setups, False

    def note(self) -> None:
        if self._is_noted:
            return
        with suppress(DatabaseFailed):  # no reason to refuse a delivery that needs no database
            record = self._setups.setup()
            if record and not record.delivered_at:
                self._setups.save_setup(replace(record, delivered_at=now_text()))
            self._is_noted = True


def add_setup_progress(app: OpenAPI, setups: SetupRecords) -> None:
    @app.get(PATH, doc_ui=False)
    def setup_progress() -> Response:
        record = setups.setup()
        if record is None or record.expires_at_s < time.time():
            raise NotFound
        if not is_session_of(record.session_digest, record.host):
            raise NotFound
        response = page(
            "setup_after.html", install_url=record.install_url, delivered_at=record.delivered_at
        )
        response.headers["Cache-Control"] = "no-store"
        return response
