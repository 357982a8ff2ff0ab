"""An application with Authlib as its maker ships it: the same commands as client.mjs, one JSON line each."""

import json
import sys
from base64 import urlsafe_b64decode

from authlib.common.security import generate_token
from authlib.integrations.base_client import BaseApp, OAuth2Mixin, OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry


class App(OAuth2Mixin, OpenIDMixin, BaseApp):
    client_cls = OAuth2Session


class Client:
    def __init__(self, settings):
        self.settings = settings
        self.app = App(
            framework=None,
            client_id=settings["clientId"],
            client_secret=settings["secret"],
            server_metadata_url=settings["issuer"] + "/.well-known/openid-configuration",
            client_kwargs={"scope": settings["scope"], "code_challenge_method": "S256"},
        )
        self.kept = None
        self.tokens = None

    def start(self):
        self.kept = self.app.create_authorization_url(
            redirect_uri=self.settings["redirectUri"], nonce=generate_token(32)
        )
        return {"url": self.kept["url"]}

    def finish(self, callback):
        self.tokens = self.app.fetch_access_token(
            authorization_response=callback,
            redirect_uri=self.settings["redirectUri"],
            code_verifier=self.kept["code_verifier"],
            state=self.kept["state"],
        )
        claims = self.app.parse_id_token(self.tokens, nonce=self.kept["nonce"])
        return {"claims": claims, "userinfo": self.userinfo(), "algorithm": self.header()["alg"]}

    def header(self):
        part = self.tokens["id_token"].split(".")[0]
        return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))

    def userinfo(self):
        """Authlib reads userinfo as JSON only; a signed answer is verified with the JOSE library it brings."""
        metadata = self.app.load_server_metadata()
        answer = self.app.get(metadata["userinfo_endpoint"], token=self.tokens)
        answer.raise_for_status()
        keys = KeySet.import_key_set(self.app.fetch_jwk_set())
        registry = JWSRegistry(algorithms=[self.settings["algorithm"]])
        return jwt.decode(answer.text, keys, registry=registry).claims

    def refresh(self):
        before = self.tokens
        url = self.app.load_server_metadata()["token_endpoint"]
        session = OAuth2Session(self.settings["clientId"], self.settings["secret"])
        self.tokens = session.refresh_token(url, refresh_token=before["refresh_token"])
        changed = self.tokens["access_token"] != before["access_token"]
        return {"changed": changed, "sub": self.userinfo()["sub"]}


client = None
for line in sys.stdin:
    given = json.loads(line)
    command = given.pop("command")
    try:
        if command == "settings":
            client, answer = Client(given), {}
        else:
            answer = getattr(client, command)(**given)
    except Exception as error:
        answer = {"failed": f"{type(error).__name__} {error}"}
    print(json.dumps(answer), flush=True)
