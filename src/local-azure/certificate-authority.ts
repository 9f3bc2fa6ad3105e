import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createCertificate } from './certificate.ts';

const NAME = 'Plumbline local Azure (test only)';

/** A certificate authority of this start alone: its key never leaves memory. */
export interface CertificateAuthority {
  /** PEM file for `--sslcacert` or NODE_EXTRA_CA_CERTS, in a folder that only this user may enter. */
  readonly caFile: string;
  /** A server certificate for exactly these names, as `https.createServer` takes it. */
  issue(hosts: readonly string[]): { cert: string; key: string };
  /** Removes the file and its folder. */
  remove(): Promise<void>;
}

export async function createCertificateAuthority(): Promise<CertificateAuthority> {
  const keys = newKeys();
  const issuer = { name: NAME, ...keys };
  const now = new Date();
  const folder = await mkdtemp(path.join(tmpdir(), 'plumbline-azure-'));
  const caFile = path.join(folder, 'ca.pem');
  const root = createCertificate({ subject: NAME, publicKey: keys.publicKey, issuer, use: { authority: true }, now });
  await writeFile(caFile, root, { mode: 0o600 });
  return {
    caFile,
    issue: (hosts) => {
      const { publicKey, privateKey } = newKeys();
      const cert = createCertificate({
        subject: 'Plumbline local Azure services',
        publicKey,
        issuer,
        use: { hosts },
        now,
      });
      return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function newKeys(): KeyPairKeyObjectResult {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}
