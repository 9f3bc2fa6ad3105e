import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { access, readFile, stat } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import path from 'node:path';
import { decodeJwt } from 'jose';
import type { LocalAzure } from '#local-azure/local-azure.ts';
import { type Asked, ask, secure, tunnel } from '../../support/azure-wire.ts';
import { JOB, type StartedJob, sampleDeclaration, startJob, TENANT } from '../../support/local-azure.ts';

describe('the borders of local Azure', () => {
  let job: StartedJob;
  let azure: LocalAzure;
  before(async () => {
    job = await startJob(sampleDeclaration({ limits: { attachmentBytes: 1_000 } }), {
      names: ['azure', 'azure-old', 'stored'],
    });
    azure = job.azure;
  });
  after(() => azure.close());

  describe('its proxy', () => {
    for (const target of [
      'example.com:443',
      'pypi.org:443',
      'othervault.vault.azure.net:443',
      'dev.azure.com:80',
      '127.0.0.1:443',
    ]) {
      it(`opens no tunnel to ${target} and remembers who asked`, async () => {
        const { status, socket } = await tunnel(azure, target);
        socket.destroy();
        const [host, port] = target.split(':');
        assert.equal(status, 403);
        const { at, ...last } = azure.exchanges().at(-1) ?? assert.fail();
        assert.deepEqual(last, { host, method: 'CONNECT', path: `:${port}`, status: 403, fault: false });
        assert.ok(at <= Date.now());
      });
    }

    it('forwards no plain HTTP', async () => {
      const { hostname, port } = new URL(azure.proxyUrl);
      const status = await new Promise((resolve, reject) => {
        httpRequest(
          { host: hostname, port, path: 'http://dev.azure.com/fabrikam', headers: { host: 'dev.azure.com' } },
          (response) => {
            response.resume();
            resolve(response.statusCode);
          },
        )
          .on('error', reject)
          .end();
      });
      assert.equal(status, 403);
    });

    it('asks for a password when it was given one', async () => {
      const guarded = await startJob(sampleDeclaration(), {
        proxyCredentials: { username: 'agent', password: 's3cret' },
      });
      try {
        const headers = (userInfo: string) => ({
          'proxy-authorization': `Basic ${Buffer.from(userInfo).toString('base64')}`,
        });
        const answers = [];
        for (const sent of [{}, headers('agent:wrong'), headers('agent:s3cret')]) {
          const { status, socket, headers } = await tunnel(guarded.azure, 'dev.azure.com:443', sent);
          socket.destroy();
          answers.push([status, headers['proxy-authenticate']]);
        }
        const challenge = 'Basic realm="plumbline"';
        assert.deepEqual(answers, [
          [407, challenge],
          [407, challenge],
          [200, undefined],
        ]);
        assert.doesNotMatch(JSON.stringify(guarded.azure.exchanges()), /s3cret/);
      } finally {
        await guarded.azure.close();
      }
    });
  });

  describe('its certificates', () => {
    it('are for exactly the served hosts and signed by the authority of this start', async () => {
      const socket = await secure(azure, 'dev.azure.com');
      const leaf = new X509Certificate(socket.getPeerCertificate(true).raw);
      socket.destroy();
      const root = new X509Certificate(await readFile(azure.caFile));
      assert.ok(leaf.verify(root.publicKey) && leaf.checkIssued(root) && root.ca && !leaf.ca);
      assert.equal(leaf.checkHost('myvault.vault.azure.net'), 'myvault.vault.azure.net');
      assert.equal(leaf.checkHost('othervault.vault.azure.net'), undefined);
    });

    it('lie where only this user can look and are gone after close', async () => {
      const other = await startJob();
      const { caFile } = other.azure;
      assert.equal((await stat(path.dirname(caFile))).mode & 0o077, 0);
      assert.notEqual(await readFile(caFile, 'utf8'), await readFile(azure.caFile, 'utf8'));
      await other.azure.close();
      await assert.rejects(access(path.dirname(caFile)), { code: 'ENOENT' });
    });

    it('do not let one host answer for another', async () => {
      const crossed = await ask(azure, 'https://dev.azure.com/fabrikam/', {
        headers: { host: 'myvault.vault.azure.net' },
      });
      assert.equal(crossed.status, 421);
    });
  });

  describe('Azure DevOps without a live job’s token', () => {
    const url = 'https://dev.azure.com/fabrikam/demo/_apis/build/builds/42?api-version=7.1';

    it('answers 401 to who asks for no redirect', async () => {
      for (const authorization of ['Bearer nonsense', `Basic ${Buffer.from(':pat').toString('base64')}`]) {
        const { status, headers, body } = await ask(azure, url, {
          headers: { authorization, 'x-tfs-fedauthredirect': 'Suppress' },
        });
        assert.equal(status, 401);
        assert.match(headers['www-authenticate'] ?? '', /^Bearer authorization_uri=/);
        assert.equal(JSON.parse(body).typeKey, 'UnauthorizedRequestException');
      }
    });

    it('leads everybody else to a sign-in page', async () => {
      const anonymous = await ask(azure, url);
      const rejected = await ask(azure, url, { headers: { authorization: 'Bearer nonsense' } });
      assert.deepEqual([anonymous.status, rejected.status], [302, 203]);
      assert.match(anonymous.headers.location ?? '', /_signin/);
      assert.match(rejected.body, /^<!DOCTYPE html>/);
    });

    it('does not know the token of an ended job or of another start', async () => {
      const first = await startJob();
      const second = await startJob();
      const headers = (token: string) => ({ authorization: `Bearer ${token}`, 'x-tfs-fedauthredirect': 'Suppress' });
      const alive = await ask(first.azure, url, { headers: headers(first.accessToken) });
      const foreign = await ask(first.azure, url, { headers: headers(second.accessToken) });
      first.azure.endJob(JOB);
      const ended = await ask(first.azure, url, { headers: headers(first.accessToken) });
      await Promise.all([first.azure.close(), second.azure.close()]);
      assert.deepEqual([alive.status, foreign.status, ended.status], [200, 401, 401]);
    });
  });

  describe('oidctoken', () => {
    const request = (more: Asked & { query?: string; job?: string } = {}) => {
      const address = more.job === undefined ? job.oidcRequestUri : job.oidcRequestUri.replace(JOB, more.job);
      const headers = {
        authorization: `Bearer ${job.accessToken}`,
        'content-type': 'application/json',
        'x-tfs-fedauthredirect': 'Suppress',
        ...more.headers,
      };
      return ask(azure, `${address}?${more.query ?? 'api-version=7.1'}`, { method: 'POST', ...more, headers });
    };
    const claims = async (query: string) =>
      decodeJwt(JSON.parse((await request({ query: `api-version=7.1&${query}` })).body).oidcToken);
    const { organization, project } = { organization: () => azure.organization, project: () => azure.project };

    it('gives the pipeline’s own token when no connection is asked for', async () => {
      const { iat = 0, nbf, exp, jti, ...facts } = await claims('');
      assert.deepEqual(facts, {
        sub: 'p://fabrikam/demo/nightly',
        aud: 'api://AzureADTokenExchange',
        iss: `https://vstoken.dev.azure.com/${organization().id}`,
        org_id: organization().id,
        prj_id: project().id,
        def_id: '7',
        rpo_id: 'a0000000-0000-4000-8000-000000000005',
        rpo_uri: 'https://dev.azure.com/fabrikam/demo/_git/data',
        rpo_ver: '0123456789012345678901234567890123456789',
        rpo_ref: 'refs/pull/12/merge',
        run_id: '42',
      });
      assert.deepEqual([iat - (nbf ?? 0), (exp ?? 0) - iat, typeof jti], [600, 600, 'string']);
    });

    it('silently gives it too when a connection is asked for by name', async () => {
      assert.equal((await claims('serviceConnectionId=azure')).sub, 'p://fabrikam/demo/nightly');
    });

    it('gives a connection’s token in the shape of its issuer', async () => {
      const old = await claims(`serviceConnectionId=${job.connection('azure-old')}`);
      assert.deepEqual(
        [old.iss, old.sub, old.aud],
        [
          `https://vstoken.dev.azure.com/${organization().id}`,
          'sc://fabrikam/demo/azure-old',
          'api://AzureADTokenExchange',
        ],
      );
      const entra = await claims(`serviceConnectionId=${job.connection('azure')}`);
      assert.deepEqual(
        [entra.iss, entra.aud, entra['idtyp'], entra.jti],
        [`https://login.microsoftonline.com/${TENANT}/v2.0`, 'fb60f99c-7a34-4190-8149-302f77469936', 'app', undefined],
      );
      assert.equal((entra.exp ?? 0) - (entra.iat ?? 0), 86_700);
    });

    it('is signed by the keys that the issuer publishes', async () => {
      const discovery = JSON.parse(
        (await ask(azure, `https://vstoken.dev.azure.com/${organization().id}/.well-known/openid-configuration`)).body,
      );
      assert.equal(discovery.issuer, `https://vstoken.dev.azure.com/${organization().id}`);
      const { createLocalJWKSet, jwtVerify } = await import('jose');
      const keys = JSON.parse((await ask(azure, discovery.jwks_uri)).body);
      const token = JSON.parse((await request()).body).oidcToken;
      await jwtVerify(token, createLocalJWKSet(keys), { issuer: discovery.issuer, algorithms: ['RS256'] });
      const other = JSON.parse(
        (await ask(azure, `https://login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`)).body,
      );
      await assert.rejects(jwtVerify(token, createLocalJWKSet(other)), { code: 'ERR_JWKS_NO_MATCHING_KEY' });
    });

    it('refuses a connection that the job does not name, or that is not there, alike', async () => {
      for (const id of [job.connection('stranger'), 'b0000000-0000-4000-8000-000000000009']) {
        const { status, body } = await request({ query: `api-version=7.1&serviceConnectionId=${id}` });
        assert.equal(status, 400);
        assert.match(JSON.parse(body).value, new RegExp(`no explicit reference to service connection ${id}`));
      }
    });

    it('refuses another job, another method, a missing version and a connection with a stored secret', async () => {
      const answers = await Promise.all([
        request({ job: 'b0000000-0000-4000-8000-000000000009' }),
        request({ method: 'GET' }),
        request({ query: '' }),
        request({ query: 'api-version=9.0' }),
        request({ query: `api-version=7.1&serviceConnectionId=${job.connection('stored')}` }),
      ]);
      assert.deepEqual(
        answers.map(({ status, body }) => [status, JSON.parse(body).typeKey]),
        [
          [404, 'TaskOrchestrationJobNotFoundException'],
          [405, 'HttpRequestException'],
          [400, 'VssVersionNotSpecifiedException'],
          [400, 'VssVersionOutOfRangeException'],
          [400, 'InvalidServiceEndpointException'],
        ],
      );
    });
  });

  describe('sizes and shapes', () => {
    const publish = (apiPath: string, asked: Asked) =>
      ask(azure, `https://dev.azure.com/fabrikam/demo/_apis/${apiPath}?api-version=7.1`, {
        ...asked,
        headers: { authorization: `Bearer ${job.accessToken}`, ...asked.headers },
      });

    it('refuses a body over the limit', async () => {
      const { status } = await publish('build/builds/42/tags', {
        method: 'POST',
        body: `["${'x'.repeat(1_000)}"]`,
        headers: { 'content-type': 'application/json' },
      });
      assert.equal(status, 413);
    });

    it('wants a JSON patch for properties and JSON for tags', async () => {
      const json = { 'content-type': 'application/json' };
      const patch = { 'content-type': 'application/json-patch+json' };
      const answers = await Promise.all([
        publish('build/builds/42/properties', { method: 'PATCH', body: '[]', headers: json }),
        publish('build/builds/42/properties', { method: 'PATCH', body: '{}', headers: patch }),
        publish('build/builds/42/properties', {
          method: 'PATCH',
          body: '[{"op":"add","path":"x","value":"1"}]',
          headers: patch,
        }),
        publish('build/builds/42/properties', {
          method: 'PATCH',
          body: '[{"op":"test","path":"/x","value":"1"}]',
          headers: patch,
        }),
        publish('build/builds/42/tags', { method: 'POST', body: '["ok"', headers: json }),
        publish('build/builds/42/tags', { method: 'POST', body: '["ok", 1]', headers: json }),
        publish('build/builds/42/tags', { method: 'POST', body: '[" "]', headers: json }),
      ]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [415, 400, 400, 400, 400, 400, 400],
      );
      const { tags, properties } = azure.published();
      assert.deepEqual([tags, properties], [[], {}]);
    });

    it('knows nothing of resources that are not served', async () => {
      const { status, body } = await publish('build/definitions/7', {});
      assert.deepEqual([status, JSON.parse(body).typeKey], [404, 'HttpException']);
    });
  });
});
