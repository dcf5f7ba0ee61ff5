"""The evaluator as the surfaces use it: with the tastes that the store keeps."""

from __future__ import annotations

import structlog

from dqa.config import Settings
from dqa.errors import DQAError
from dqa.evaluator import Evaluator
from dqa.models.profiles import load_profile
from dqa.store import Store
from dqa.taste.heavy.serve import AdapterRewards
from dqa.taste.taste import Taste

log = structlog.get_logger(__name__)


def evaluator_with_taste(settings: Settings) -> Evaluator:
    """An evaluator that judges preference by what each user chose before, and by their language-model adapters.

    Raises:
        ConfigError: there is no such profile.
        UnavailableError: the profile can't be used.
    """
    profile = load_profile(settings.profile)
    rewards = AdapterRewards(settings.home, settings.taste_model, settings.taste_revision, profile.device)
    return Evaluator(settings, profile, taste=StoredTastes(settings).find, rewards=rewards)


class StoredTastes:
    """Tastes from the store, opened on first use. A store that fails costs the preference channel, no verdict."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None

    def find(self, user: str, profile: str, version: int | None) -> Taste | None:
        """The serving taste of a user for a profile, or that of a version; None when there is none, or no store."""
        try:
            if self._store is None:
                self._store = Store.open(self._settings)
            return self._store.tuner.taste(user, profile, version)
        except DQAError as error:
            log.warning("no taste can be read", error=error.sentence())
            return None
