"""Prints the public keys by which an Airflow 3 signs its own tokens, as a JWKS for `publicKeys` of the gateway's configuration.

    python airflow_public_keys.py [KID=PEM ...] > airflow-prod.jwks.json

To be run where the API server runs, with its Python and its settings: it reads [api_auth] jwt_private_key_path, jwt_kid and
jwt_algorithm. Further keys, such as the next one before a rotation, are given as arguments. Nothing private is printed.
"""

import json
import sys

from airflow.api_fastapi.auth.tokens import key_to_jwk_dict
from airflow.configuration import conf
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def public_key(path, kid):
    with open(path, "rb") as file:
        private = load_pem_private_key(file.read(), password=None)
    jwk = key_to_jwk_dict(private.public_key(), kid)
    algorithms = conf.getlist("api_auth", "jwt_algorithm", fallback=["GUESS"])
    guess = "RS256" if isinstance(private, RSAPrivateKey) else "EdDSA"
    algorithm = guess if algorithms[0] == "GUESS" else algorithms[0]
    return {**jwk, "use": "sig", "alg": algorithm}


def main(arguments):
    path = conf.get("api_auth", "jwt_private_key_path", fallback=None)
    if not path:
        sys.exit("[api_auth] jwt_private_key_path is not set: with a shared secret there is no public key")
    keys = [public_key(path, conf.get("api_auth", "jwt_kid", fallback=None))]
    for argument in arguments:
        kid, _, other = argument.partition("=")
        keys.append(public_key(other, kid))
    print(json.dumps({"keys": keys}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
