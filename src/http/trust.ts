import { readFileSync } from 'node:fs';
import type * as tls from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import { PlumblineError } from '#core/errors.ts';
import type { NetworkSettings } from '#core/network.ts';

/**
 * The TLS options of every connection: the trusted roots of this machine, the agent's own CA file beside them, and its
 * client certificate.
 *
 * `skipVerification` is never followed: a connection that carries tokens is verified or not made.
 *
 * @throws {PlumblineError} `ERR_HTTP_NETWORK` when a file named in the settings cannot be read.
 */
export async function trustOf(network: NetworkSettings): Promise<SecureContextOptions> {
  return { ...authorities(await import('node:tls'), network), ...clientCertificate(network) };
}

/** Without a CA file the defaults of Node hold, `NODE_EXTRA_CA_CERTS` among them; with `ca` Node would forget them all. */
function authorities(node: typeof tls, { caFile }: NetworkSettings): SecureContextOptions {
  if (caFile === undefined) return {};
  return { ca: [...defaultAuthorities(node), read(caFile, 'the CA file')] };
}

function defaultAuthorities(node: typeof tls): string[] {
  // Node 22.15 and later; it knows --use-system-ca and NODE_EXTRA_CA_CERTS.
  if (typeof node.getCACertificates === 'function') return node.getCACertificates('default');
  const extra = process.env['NODE_EXTRA_CA_CERTS'];
  return [...node.rootCertificates, ...(extra ? [read(extra, 'NODE_EXTRA_CA_CERTS')] : [])];
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
