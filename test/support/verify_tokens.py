"""Verifies tokens with PyJWT as a relying party does: discovery, keys by HTTP, signature, issuer, audience, times.

usage: verify_tokens.py URL AUDIENCE < tokens, one a line. URL: where the documents are served. Prints the claims, one line of JSON each,
or the name of the exception.
"""

import json
import sys
import urllib.request

import jwt

base, audience = sys.argv[1:3]
with urllib.request.urlopen(base + "/.well-known/openid-configuration") as answer:
    discovery = json.load(answer)
keys = jwt.PyJWKClient(base + "/.well-known/jwks.json")
for line in sys.stdin:
    token = line.strip()
    try:
        claims = jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token).key,
            algorithms=discovery["id_token_signing_alg_values_supported"],
            audience=audience,
            issuer=discovery["issuer"],
            options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]},
        )
        print(json.dumps(claims))
    except jwt.PyJWTError as error:
        print(json.dumps(type(error).__name__))
