"""Who may ask the simulated store: tokens that end, refresh tokens that work once."""

import hashlib
import hmac
import secrets
import time
from urllib.parse import urlencode, urlsplit

from integrations.shopify.simulator.people import People
from integrations.shopify.simulator.state import Row


class Tokens(People):
    def give_token(self, form: dict[str, str]) -> tuple[int, Row]:
        with self.lock:
            if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.secret):
                return 401, {"error": "invalid_client"}
            answer: Row = {"scope": self.scopes, "expires_in": int(self.token_s)}
            if form.get("grant_type") == "client_credentials":
                pass
            elif form.get("code") in self.codes:
                self.codes.discard(form["code"])
                answer |= self._make_refresh_token()
            elif form.get("refresh_token") in self.refresh_tokens:
                # It works once.
                self.refresh_tokens.discard(form["refresh_token"])
                answer |= self._make_refresh_token()
            else:
                return 400, {"error": "invalid_grant"}
            token = f"shpat_{secrets.token_hex(8)}"
            self.tokens[token] = time.time() + self.token_s
            return 200, {**answer, "access_token": token}

    def _make_refresh_token(self) -> Row:
        made = f"shprt_{secrets.token_hex(8)}"
        self.refresh_tokens.add(made)
        return {"refresh_token": made, "refresh_token_expires_in": 7_776_000}

    def approve(self, query: dict[str, str]) -> str:
        """Where the merchant's browser is sent after "Install"."""
        code = secrets.token_hex(8)
        self.codes.add(code)
        pairs = {
            "code": code,
            "shop": urlsplit(self.url).netloc,
            "state": query["state"],
            "timestamp": str(int(time.time())),
        }
        message = "&".join(f"{name}={value}" for name, value in sorted(pairs.items()))
        signed = hmac.new(self.secret.encode(), message.encode(), hashlib.sha256).hexdigest()
        return f"{query['redirect_uri']}?{urlencode({**pairs, 'hmac': signed})}"
