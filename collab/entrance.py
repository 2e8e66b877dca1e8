"""The access side of one node, built from the settings: who is let in, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from collab.auth.authenticator import AnyAuthenticator
from collab.auth.guard import Guard
from collab.auth.jwt import JwtAuthenticator
from collab.auth.keys import Keys
from collab.auth.open_mode import Openness, check_bind, is_open
from collab.auth.origins import Origins
from collab.auth.proxies import Proxies
from collab.auth.revocations import RevocablePolicy, Revocations
from collab.auth.tickets import MemoryTickets, Tickets
from collab.auth.trust import Trust
from collab.settings import Settings
from collab.store.open import Store


@dataclass(frozen=True, slots=True)
class Entrance:
    """The guard of both doors, and what makes and ends permissions."""

    guard: Guard
    keys: Keys
    tickets: Tickets
    revocations: Revocations
    jwt: JwtAuthenticator | None

    @classmethod
    async def build(cls, settings: Settings, store: Store) -> Entrance:
        """Raises UnsafeSettings for anything half said, and for an open node that others could reach."""
        jwt = trust_of(settings).authenticator()
        open_to_all = is_open(bool((await store.keys.list(1)).items), jwt is not None)
        check_bind(settings.host, open_to_all, settings.open_to_the_world)
        openness = Openness(open_to_all, settings.open_to_the_world)
        keys, tickets, revocations = Keys(store.keys), Tickets(MemoryTickets()), Revocations()
        guard = Guard(
            AnyAuthenticator(keys, tickets, jwt, openness),
            RevocablePolicy(revocations),
            Origins(settings.origins),
            openness,
            Proxies(settings.trusted_proxies),
            revocations,
        )
        return cls(guard, keys, tickets, revocations, jwt)

    async def close(self) -> None:
        """Ends what is under way."""
        if self.jwt is not None:
            await self.jwt.aclose()


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
