import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../scripts/start-luigid.ts';
import { startKeyServer } from '../test/support/key-server.ts';
import { testKey } from '../test/support/test-issuer.ts';

const APACHE = '/usr/sbin/apache2';
const MODULES = '/usr/lib/apache2/modules';

export interface OAuth2Apache {
  readonly url: string;
  readonly pid: number;
  readonly authorization: string;
  close(): Promise<void>;
}

/** Whether Debian's Apache with mod_oauth2 is on this machine. */
export function hasOAuth2Apache(): boolean {
  return existsSync(APACHE) && existsSync(`${MODULES}/mod_oauth2.so`);
}

/** It verifies an RS256 access token of 2 kB and hands requests on as they are. */
export async function startOAuth2Apache(upstream: string): Promise<OAuth2Apache> {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-httpd-'));
  // Its workers are another user's.
  chmodSync(folder, 0o755);
  const key = testKey('RS256');
  const issuer = await startKeyServer('bench', [key]);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(folder, 'httpd.conf');
  writeFileSync(config, configuration({ folder, port, upstream, issuer: issuer.url }));
  const child = spawn(APACHE, ['-f', config, '-D', 'FOREGROUND'], { stdio: 'ignore' });
  const now = Math.floor(Date.now() / 1_000) * 1_000;
  const claims = { exp: now / 1_000 + 7_200, ref: 'main', project_path: 'data/luigi', pad: 'x'.repeat(1_000) };
  const authorization = `Bearer ${issuer.token(key, now, claims)}`;
  const close = async () => {
    await end(child);
    await issuer.close();
    rmSync(folder, { recursive: true, force: true });
  };
  // A luigid behind it answers with a redirect.
  const asked = () => fetch(url, { headers: { authorization }, redirect: 'manual' }).catch(() => undefined);
  while (((await asked())?.status ?? 500) >= 400) {
    if (child.exitCode !== null) throw new Error(`Apache ended with ${child.exitCode}.`);
    await sleep(50);
  }
  const refused = await fetch(url, { headers: { authorization: `${authorization}x` } });
  if (refused.status !== 401) throw new Error(`Apache answered ${refused.status} to a bad token.`);
  return { url, pid: child.pid ?? 0, authorization, close };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  if (child.exitCode === null) await ended;
}

interface Facts {
  readonly folder: string;
  readonly port: number;
  readonly upstream: string;
  readonly issuer: string;
}

function configuration({ folder, port, upstream, issuer }: Facts): string {
  const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'proxy', 'proxy_http', 'oauth2'];
  const asRoot = process.geteuid?.() === 0 ? ['User www-data', 'Group www-data'] : [];
  return `${[
    `ServerRoot ${folder}`,
    `PidFile ${folder}/httpd.pid`,
    `Listen 127.0.0.1:${port}`,
    'ServerName 127.0.0.1',
    'Mutex posixsem',
    ...modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
    `ErrorLog ${folder}/error.log`,
    'LogLevel warn',
    ...asRoot,
    'MaxKeepAliveRequests 0',
    'StartServers 1',
    'ServerLimit 2',
    'ThreadsPerChild 64',
    'MaxRequestWorkers 128',
    `OAuth2TokenVerify metadata ${issuer}/.well-known/openid-configuration metadata.ssl_verify=false`,
    '<Location "/">',
    'AuthType oauth2',
    '<RequireAll>',
    'Require oauth2_claim aud:gateway',
    `Require oauth2_claim iss:${issuer}`,
    '</RequireAll>',
    `ProxyPass ${upstream}/ keepalive=On`,
    '</Location>',
  ].join('\n')}\n`;
}
