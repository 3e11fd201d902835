"""Who may ask the simulated store for what, and how keys are handed over."""

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import quote

from integrations.woocommerce.simulator.people import People
from integrations.woocommerce.simulator.state import Key, Refused


class Keys(People):
    def hand_over_keys(self, query: dict[str, str]) -> int:
        """What happens when the owner approves: keys are made and posted to the callback."""
        made = self.make_key()
        content = {
            "key_id": next(self._ids),
            "user_id": query["user_id"],
            "consumer_key": made.key,
            "consumer_secret": made.secret,
            "key_permissions": query.get("scope", "read_write"),
        }
        headers = {"Content-Type": "application/json;charset=UTF-8"}
        return self.send(query["callback_url"], json.dumps(content).encode(), headers, timeout_s=60)

    def check_key(self, method: str, url: str, params: dict[str, str], authorization: str) -> None:
        """Raises Refused as WooCommerce does, which says 401 for nearly everything."""
        key = self._find_key(method, url, params, authorization)
        denied = "woocommerce_rest_authentication_error"
        if key is None:
            raise Refused(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        if method != "GET" and key.permissions == "read":
            message = "The API key provided does not have write permissions."
            raise Refused(401, denied, message)
        if method == "GET" and key.permissions == "write":
            message = "The API key provided does not have read permissions."
            raise Refused(401, denied, message)
        if not key.may_see:
            code = (
                "woocommerce_rest_cannot_list"
                if method == "GET"
                else "woocommerce_rest_cannot_edit"
            )
            raise Refused(403, code, "Sorry, you are not allowed to do that.")

    def _find_key(
        self, method: str, url: str, params: dict[str, str], authorization: str
    ) -> Key | None:
        denied = "woocommerce_rest_authentication_error"
        given, secret = "", ""
        if "oauth_consumer_key" in params:
            return self._check_oauth(method, url, params)
        if not self.pretend_https:
            return None
        if authorization.startswith("Basic ") and not self.strips_authorization:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            given, _colon, secret = pair.partition(":")
        elif "consumer_key" in params:
            given, secret = params["consumer_key"], params.get("consumer_secret", "")
        else:
            return None
        key = self.keys.get(given)
        if key is None:
            raise Refused(401, denied, "Consumer key is invalid.")
        if key.secret != secret:
            raise Refused(401, denied, "Consumer secret is invalid.")
        return key

    def _check_oauth(self, method: str, url: str, params: dict[str, str]) -> Key:
        denied = "woocommerce_rest_authentication_error"
        key = self.keys.get(params["oauth_consumer_key"])
        if key is None:
            raise Refused(401, denied, "Consumer key is invalid.")
        pairs = sorted(
            (quote(name, safe="~"), quote(value, safe="~"))
            for name, value in params.items()
            if name != "oauth_signature"
        )
        listed = "&".join(f"{name}={value}" for name, value in pairs)
        base = "&".join([method, quote(url, safe="~"), quote(listed, safe="~")])
        digest = hmac.digest(f"{key.secret}&".encode(), base.encode(), hashlib.sha256)
        if base64.b64encode(digest).decode() != params.get("oauth_signature"):
            raise Refused(401, denied, "Invalid signature - provided signature does not match.")
        if abs(time.time() - int(params["oauth_timestamp"])) > 15 * 60:
            raise Refused(401, denied, "Invalid timestamp.")
        if params["oauth_nonce"] in self.nonces:
            raise Refused(401, denied, "Invalid nonce - nonce has already been used.")
        self.nonces.add(params["oauth_nonce"])
        return key
