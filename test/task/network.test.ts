import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import type { FaultDeclaration } from '#local-azure/declaration.ts';
import { codesOf, JobFolder, messagesOf } from '../support/agent-job-run.ts';
import { sampleDeclaration } from '../support/local-azure.ts';

const LOGIN = 'login.microsoftonline.com';
const VAULT_HOST = 'myvault.vault.azure.net';
const DEVOPS = 'dev.azure.com';
const SECRET = { azureSubscription: 'azure', keyVault: 'myvault', secrets: 'VALUE: plain' };
const READS = { module: 'imported', task: 'Length', ...SECRET };

describe('RunLuigi@1 behind a proxy with a private authority', function () {
  this.timeout(120_000);
  let folder: JobFolder;

  beforeEach(() => {
    folder = new JobFolder();
  });

  afterEach(() => folder.remove());

  it('needs nothing but the settings of the agent, and names a host that the proxy refuses', async () => {
    const run = await folder.run({
      steps: [
        folder.luigi('reached', { module: 'ancestors', task: 'Ancestors', ...SECRET }),
        folder.luigi('refused', { ...READS, keyVault: 'outside' }),
      ],
      azure: sampleDeclaration(),
    });
    assert.equal(run.step('reached').result, 'Succeeded', run.log);
    const names = JSON.parse(readFileSync(folder.file('reached', 'out/ancestors.json'), 'utf8'));
    for (const who of ['step', 'task']) {
      const telling = names[who].filter((name: string) => /_proxy$|^NODE_|SSL_CERT|CA_BUNDLE/i.test(name));
      assert.deepEqual(telling, [], `the environment of the ${who}`);
    }
    assert.ok(names.step.includes('AGENT_PROXYURL') && names.step.includes('AGENT_CAINFO'));
    const refused = run.exchanges.filter(({ method }) => method === 'CONNECT');
    assert.deepEqual(
      [...new Set(refused.map(({ host, status }) => `${status} ${host}`))],
      ['403 outside.vault.azure.net'],
    );
    assert.deepEqual(codesOf(run.step('refused')), ['ERR_VAULT_UNREACHABLE']);
    assert.match(
      messagesOf(run.step('refused')).join('\n'),
      /proxy answered 403 .* Ask for 'outside\.vault\.azure\.net' to be allowed on the proxy/,
    );
  });

  it('signs in to the proxy with the name and password of the agent, and shows neither', async () => {
    const password = 'p@ss:w/rd %41';
    const run = await folder.run({
      steps: [folder.luigi('reads', READS)],
      azure: sampleDeclaration(),
      proxyCredentials: { username: 'build agent', password },
      variables: { 'Agent.ProxyUsername': 'build agent' },
      secretVariables: { 'Agent.ProxyPassword': password },
    });
    assert.equal(run.step('reads').result, 'Succeeded', run.log);
    assert.ok(
      run.report.attachments.some(({ type }) => type === 'plumbline-report'),
      'publishing passed it too',
    );
    for (const { place, text } of run.texts) {
      for (const form of [
        password,
        encodeURIComponent(password),
        Buffer.from(`build agent:${password}`).toString('base64'),
      ])
        assert.equal(text.includes(form), false, `${form} in ${place}`);
    }
  });

  it('says what a proxy that asks for a password needs', async () => {
    const run = await folder.run({
      steps: [folder.luigi('reads', READS)],
      azure: sampleDeclaration(),
      proxyCredentials: { username: 'build', password: 'not given to the agent' },
    });
    const [message = ''] = messagesOf(run.step('reads'));
    assert.equal(run.step('reads').result, 'Failed');
    assert.match(message, /proxy answered 407 .*--proxyusername --proxypassword/);
    assert.equal(existsSync(folder.file('reads', 'imported')), false);
  });

  it('gets over throttling, errors, resets and slowness of every service', async () => {
    const run = await folder.run({
      steps: [folder.luigi('reads', READS)],
      azure: sampleDeclaration({ faults: TROUBLES }),
    });
    const hit = run.exchanges.filter(({ fault }) => fault).map(({ host, status }) => `${host} ${status}`);
    assert.deepEqual(
      hit.sort(),
      TROUBLES.flatMap(({ host, kind, status = 0 }) => (kind === 'latency' ? [] : [`${host} ${status}`])).sort(),
      'every fault was met',
    );
    assert.equal(run.step('reads').result, 'Succeeded', run.log);
    assert.deepEqual(run.step('reads').issues, []);
    assert.deepEqual(run.report.attachments.map(({ type }) => type).sort(), [
      'Distributedtask.Core.Summary',
      'plumbline-lineage',
      'plumbline-report',
    ]);
    assert.ok(run.report.tags.includes('plumbline:succeeded'));
    const [throttled, next] = run.exchanges.filter(({ host, path }) => host === LOGIN && path.includes('/token'));
    assert.equal(throttled?.status, 429);
    assert.ok(next && next.at - throttled.at >= 1_000, 'Retry-After was waited for');
  });
});

const once = (host: string, path: string, what: Pick<FaultDeclaration, 'kind' | 'status' | 'retryAfter'>) =>
  ({ host, path, count: 1, ...what }) as const;
const THROTTLED = { kind: 'status', status: 429, retryAfter: 1 } as const;
const DOWN = { kind: 'status', status: 503 } as const;
const RESET = { kind: 'reset' } as const;

/** Every service is slow for the whole run, and each request that matters meets some trouble first. */
const TROUBLES: readonly FaultDeclaration[] = [
  ...[LOGIN, VAULT_HOST, DEVOPS].map((host) => ({ host, kind: 'latency', delayMs: 100 }) as const),
  once(DEVOPS, '*/oidctoken*', DOWN),
  once(DEVOPS, '*/oidctoken*', RESET),
  once(LOGIN, '*/token', THROTTLED),
  once(LOGIN, '*/token', RESET),
  once(VAULT_HOST, '*', DOWN),
  once(VAULT_HOST, '/secrets/*', THROTTLED),
  once(VAULT_HOST, '*', RESET),
  once(DEVOPS, '*/attachments/plumbline-report/*', RESET),
  once(DEVOPS, '*/attachments/plumbline-lineage/*', THROTTLED),
  once(DEVOPS, '*/tags*', DOWN),
  once(DEVOPS, '*/properties*', RESET),
];
