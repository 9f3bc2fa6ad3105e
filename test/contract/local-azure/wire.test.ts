import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { type Asked, ask } from '../../support/azure-wire.ts';
import {
  JOB,
  PLAN,
  RUN,
  type StartedJob,
  sampleDeclaration,
  startJob,
  TENANT,
  TIMELINE,
} from '../../support/local-azure.ts';

const HOSTS = [
  'dev.azure.com',
  'fabrikam.visualstudio.com',
  'vstoken.dev.azure.com',
  'login.microsoftonline.com',
  'myvault.vault.azure.net',
];

describe('local Azure on the wire', () => {
  let job: StartedJob;
  before(async () => {
    job = await startJob();
  });
  after(() => job.azure.close());
  const authorized = (): Record<string, string> => ({ authorization: `Bearer ${job.accessToken}` });

  it('takes two slashes at the start of a path for one', async () => {
    const url = `https://login.microsoftonline.com//${TENANT}/v2.0/.well-known/openid-configuration`;
    assert.equal((await ask(job.azure, url)).status, 200);
    assert.equal((await ask(job.azure, 'https://myvault.vault.azure.net//secrets/plain?api-version=7.6')).status, 401);
  });

  it('answers broken escapes with 400', async () => {
    const { status } = await ask(job.azure, 'https://dev.azure.com/fabrikam/demo/_apis/build/builds/%zz', {
      headers: authorized(),
    });
    assert.equal(status, 400);
  });

  it('never breaks, whatever it is asked', async () => {
    const words = fc.oneof(
      fc.constantFrom(
        'fabrikam',
        'demo',
        '_apis',
        'build',
        'builds',
        '42',
        'tags',
        'properties',
        'secrets',
        'plain',
        'versions',
        TENANT,
        'oauth2',
        'v2.0',
        'token',
        '',
      ),
      fc.string({ unit: 'grapheme' }).map(encodeURIComponent),
    );
    const requests = fc.record({
      host: fc.constantFrom(...HOSTS),
      path: fc.array(words, { maxLength: 8 }).map((parts) => `/${parts.join('/')}`),
      method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
      type: fc.constantFrom(
        'application/json',
        'application/json-patch+json',
        'application/x-www-form-urlencoded',
        'text/plain',
      ),
      body: fc.oneof(fc.json(), fc.string()),
    });
    await fc.assert(
      fc.asyncProperty(requests, async ({ host, path, method, type, body }) => {
        const asked: Asked = {
          method,
          body,
          headers: { ...authorized(), 'content-type': type, 'content-length': String(Buffer.byteLength(body)) },
        };
        const { status } = await ask(job.azure, `https://${host}${path}?api-version=7.1`, asked);
        assert.ok(status >= 200 && status < 500, `${method} ${host}${path}: ${status}`);
      }),
      { numRuns: 150 },
    );
  });
});

describe('declared faults', () => {
  const answers = async (status: number) => {
    const { azure } = await startJob(
      sampleDeclaration({ faults: [{ host: '*', kind: 'status', status, retryAfter: 7 }] }),
    );
    try {
      const found: Record<string, unknown> = {};
      for (const host of HOSTS) {
        const { status: got, headers, body } = await ask(azure, `https://${host}/`);
        const document = body === '' ? {} : JSON.parse(body);
        found[host] = [got, headers['retry-after'], document.typeKey ?? document.error?.code ?? document.error];
      }
      return found;
    } finally {
      await azure.close();
    }
  };

  it('speak each service’s own language', async () => {
    assert.deepEqual(await answers(429), {
      'dev.azure.com': [429, '7', 'RequestBlockedException'],
      'fabrikam.visualstudio.com': [429, '7', 'RequestBlockedException'],
      'vstoken.dev.azure.com': [429, '7', undefined],
      'login.microsoftonline.com': [429, '7', 'temporarily_unavailable'],
      'myvault.vault.azure.net': [429, '7', 'Throttled'],
    });
    const broken = await answers(503);
    assert.deepEqual(broken['myvault.vault.azure.net'], [503, '7', 'ServiceUnavailable']);
    assert.deepEqual(broken['dev.azure.com'], [503, '7', 'HttpException']);
  });

  it('delay by what the clock sleeps and never longer than the server lives', async () => {
    const slept: number[] = [];
    const clock = { now: () => Date.now(), sleep: async (ms: number) => void slept.push(ms) };
    const { azure } = await startJob(
      sampleDeclaration({ faults: [{ host: 'dev.azure.com', kind: 'latency', delayMs: 60_000 }] }),
      { clock },
    );
    assert.equal((await ask(azure, 'https://dev.azure.com/')).status, 302);
    assert.deepEqual(slept, [60_000]);
    await azure.close();
    const slow = await startJob(
      sampleDeclaration({ faults: [{ host: 'dev.azure.com', kind: 'latency', delayMs: 600_000 }] }),
    );
    const pending = assert.rejects(ask(slow.azure, 'https://dev.azure.com/'));
    await slow.azure.close();
    await pending;
  });
});

describe('what a declaration decides about tokens', () => {
  const idToken = async ({ azure, oidcRequestUri, accessToken, connection }: StartedJob, name: string) => {
    const url = `${oidcRequestUri}?api-version=7.1&serviceConnectionId=${connection(name)}`;
    const { body } = await ask(azure, url, { method: 'POST', headers: { authorization: `Bearer ${accessToken}` } });
    return decodeJwt(JSON.parse(body).oidcToken);
  };

  it('is their life and the audience of the Entra issuer', async () => {
    const job = await startJob(sampleDeclaration({ lifetimes: { idToken: 30 }, entraAudience: 'uri' }));
    try {
      for (const name of ['azure', 'azure-old']) {
        const { aud, exp = 0, iat = 0 } = await idToken(job, name);
        assert.deepEqual([aud, exp - iat], ['api://AzureADTokenExchange', 30]);
      }
    } finally {
      await job.azure.close();
    }
  });

  it('is when a job’s token is over', async () => {
    let now = Date.now();
    const job = await startJob(sampleDeclaration({ lifetimes: { jobToken: 60 } }), {
      clock: { now: () => now, sleep: async () => {} },
    });
    const status = async () =>
      (
        await ask(job.azure, 'https://dev.azure.com/fabrikam/_apis/ResourceAreas', {
          headers: { authorization: `Bearer ${job.accessToken}` },
        })
      ).status;
    try {
      const early = await status();
      now += 60_000;
      assert.deepEqual([early, await status()], [200, 203]);
    } finally {
      await job.azure.close();
    }
  });
});

describe('a second run', () => {
  it('starts with nothing published and new tokens only', async () => {
    const { azure, accessToken } = await startJob();
    const tag = (token: string) =>
      ask(azure, 'https://dev.azure.com/fabrikam/demo/_apis/build/builds/42/tags/x?api-version=7.1', {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}`, 'x-tfs-fedauthredirect': 'Suppress' },
      });
    try {
      assert.equal((await tag(accessToken)).status, 200);
      azure.beginRun(RUN);
      const second = azure.beginJob({ jobId: JOB, planId: PLAN, timelineId: TIMELINE, connectionIds: [] });
      assert.deepEqual(azure.published().tags, []);
      assert.deepEqual([(await tag(accessToken)).status, (await tag(second.accessToken)).status], [401, 200]);
    } finally {
      await azure.close();
    }
  });
});
