import { randomUUID } from 'node:crypto';
import { signed, type TestKey } from './test-issuer.ts';

const AUDIENCE = 'https://plumbline.contoso.example';
const CLUSTER = 'https://oidc.prod-aks.example.com/9f8e7d6c';

/** As the API server of the cluster in examples/airflow/policy.yaml issues it for a pod: TokenRequest with an audience. */
export function podToken(key: TestKey): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = {
    iss: CLUSTER,
    aud: [AUDIENCE],
    sub: 'system:serviceaccount:airflow:retail-worker',
    iat: now,
    nbf: now,
    exp: now + 3_600,
    jti: randomUUID(),
    'kubernetes.io': {
      namespace: 'airflow',
      pod: { name: 'retail-worker-x7k2p', uid: randomUUID() },
      serviceaccount: { name: 'retail-worker', uid: '1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9' },
    },
  };
  return signed({ alg: 'RS256', kid: key.kid, typ: 'JWT' }, claims, key);
}
