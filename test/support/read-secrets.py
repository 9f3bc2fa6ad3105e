"""User code as a Luigi task may have it: reads a secret now and, with a new credential, again after a while."""

import json
import sys
import time

from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

vault, pause = sys.argv[1], float(sys.argv[2])
values = []
for wait in (0, pause):
    time.sleep(wait)
    with DefaultAzureCredential() as credential, SecretClient(vault, credential) as client:
        values.append(client.get_secret("plain").value)
print(json.dumps(values))
