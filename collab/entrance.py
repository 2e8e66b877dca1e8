"""The access side of one node, built from the settings: who is let in, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from collab.audit import Audit
from collab.auth.authenticator import AnyAuthenticator
from collab.auth.guard import Guard
from collab.auth.jwt import JwtAuthenticator
from collab.auth.keys import Keys
from collab.auth.open_mode import Openness, check_bind, is_open
from collab.auth.origins import Origins
from collab.auth.proxies import Proxies
from collab.auth.rates import DEFAULT_RATES, Rate, Rates
from collab.auth.revocations import RevocablePolicy, Revocations
from collab.auth.shared_clock import SharedClock
from collab.auth.tickets import MemoryTickets, Tickets
from collab.auth.trust import Trust
from collab.auth.windows import WindowCounters
from collab.settings import Settings
from collab.store.open import Store


@dataclass(slots=True)
class Entrance:
    """The guard of both doors, and what makes and ends permissions."""

    guard: Guard
    keys: Keys
    tickets: Tickets
    revocations: Revocations
    audit: Audit
    jwt: JwtAuthenticator | None
    counters: WindowCounters
    settings: Settings
    clock: SharedClock

    @classmethod
    async def build(cls, settings: Settings, store: Store) -> Entrance:
        """Raises UnsafeSettings for anything half said, and for an open node that others could reach."""
        jwt = trust_of(settings).authenticator()
        open_to_all = is_open(bool((await store.keys.list(1)).items), jwt is not None)
        check_bind(settings.host, open_to_all, settings.open_to_the_world)
        openness = Openness(open_to_all, settings.open_to_the_world)
        clock = SharedClock()
        tickets = Tickets(MemoryTickets() if store.embedded else store.tickets, clock)
        keys, revocations, counters = Keys(store.keys, clock), Revocations(), WindowCounters(shared=not store.embedded)
        audit = Audit(store.audit)
        guard = Guard(
            AnyAuthenticator(keys, tickets, jwt, openness),
            RevocablePolicy(revocations),
            Origins(settings.origins),
            openness,
            Proxies(settings.trusted_proxies),
            revocations,
            rates_of(settings, openness.open, counters),
            audit,
        )
        return cls(guard, keys, tickets, revocations, audit, jwt, counters, settings, clock)

    async def retrust(self, settings: Settings) -> None:
        """Takes token keys, origins, proxies and rates anew. Raises UnsafeSettings; then nothing has changed."""
        jwt = trust_of(settings).authenticator()
        origins, proxies = Origins(settings.origins), Proxies(settings.trusted_proxies)
        openness = self.guard.openness
        if jwt is not None:
            openness.open = False
        before, self.jwt, self.settings = self.jwt, jwt, settings
        self.guard.trust(AnyAuthenticator(self.keys, self.tickets, jwt, openness), origins, proxies)
        self.bound()
        if before is not None:
            await before.aclose()

    def bound(self) -> None:
        """Rates from now on, as the settings say, and whether it is open."""
        self.guard.bound(rates_of(self.settings, self.guard.openness.open, self.counters))

    async def close(self) -> None:
        """Ends what is under way."""
        if self.jwt is not None:
            await self.jwt.aclose()


def rates_of(settings: Settings, open_to_all: bool, counters: WindowCounters) -> Rates | None:
    """What callers may take; None, nothing is counted, for a developer's own loopback unless it is asked for."""
    given = {
        "address": settings.requests_per_min_address,
        "user": settings.requests_per_min_user,
        "key": settings.requests_per_min_key,
        "streams": settings.streams_per_min_address,
        "failures": settings.failures_per_min_address,
    }
    if open_to_all and settings.on_loopback and not any(given.values()):
        return None
    rates = dict(DEFAULT_RATES)
    for name, amount in given.items():
        if amount == 0:
            del rates[name]
        elif amount is not None:
            rates[name] = Rate(amount, 60)
    return Rates(rates, counters)


def trust_of(settings: Settings) -> Trust:
    """What the settings say of tokens."""
    said = Trust(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        jwks_url=settings.jwt_jwks_url,
        public_key_file=settings.jwt_public_key_file,
        secret=settings.jwt_secret.get_secret_value() if settings.jwt_secret else None,
        secret_file=settings.jwt_secret_file,
        algorithms=settings.jwt_algorithms,
    )
    if said == Trust():
        return said  # names of claims alone configure nothing
    return replace(said, grants_claim=settings.jwt_grants_claim, scopes_claim=settings.jwt_scopes_claim)
