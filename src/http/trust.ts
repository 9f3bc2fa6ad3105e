import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import * as tls from 'node:tls';
import { PlumblineError } from '#core/errors.ts';
import type { NetworkSettings } from '#core/network.ts';

/**
 * The TLS options of every connection: the trusted roots of this machine, the agent's own CA file beside them, and its
 * client certificate. Read once for each settings object.
 *
 * `skipVerification` is never followed: a connection that carries tokens is verified or not made.
 *
 * @throws {PlumblineError} `ERR_HTTP_NETWORK` when a file named in the settings cannot be read.
 */
export function trustOf(network: NetworkSettings): SecureContextOptions {
  const known = KNOWN.get(network);
  if (known) return known;
  const trust = { ...authorities(network), ...clientCertificate(network) };
  KNOWN.set(network, trust);
  return trust;
}

const KNOWN = new WeakMap<NetworkSettings, SecureContextOptions>();

/** Without a CA file the defaults of Node hold, `NODE_EXTRA_CA_CERTS` among them; with `ca` Node would forget them all. */
function authorities({ caFile }: NetworkSettings): SecureContextOptions {
  if (caFile === undefined) return {};
  return { ca: [...defaultAuthorities(), read(caFile, 'the CA file')] };
}

function defaultAuthorities(): string[] {
  // Node 22.15 and later; it knows --use-system-ca and NODE_EXTRA_CA_CERTS.
  if (typeof tls.getCACertificates === 'function') return tls.getCACertificates('default');
  const extra = process.env['NODE_EXTRA_CA_CERTS'];
  return [...tls.rootCertificates, ...(extra ? [read(extra, 'NODE_EXTRA_CA_CERTS')] : [])];
}

function clientCertificate({ clientCertificate: files }: NetworkSettings): SecureContextOptions {
  if (files === undefined) return {};
  return {
    cert: read(files.certFile, 'the client certificate'),
    key: read(files.keyFile, 'the key of the client certificate'),
    ...(files.passphrase && { passphrase: files.passphrase.reveal() }),
  };
}

function read(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError('ERR_HTTP_NETWORK', `Cannot read ${what} '${file}': ${why}`, {
      cause,
      remedy: 'Correct the path in the configuration of the agent (`config --sslcacert`, `--sslclientcert`).',
      details: { file },
    });
  }
}
