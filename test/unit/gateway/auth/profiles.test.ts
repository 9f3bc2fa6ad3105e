import assert from 'node:assert/strict';
import type { SignedFacts } from '#gateway/auth/caller.ts';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import { handClock, NO_NETWORK } from '../../../support/hand-clock.ts';
import { type Claims, sha256, token } from '../../../support/test-issuer.ts';
import {
  NOW,
  ORGANIZATION,
  PROJECT,
  SAMPLE_NAMES,
  type SampleName,
  testIssuer,
} from '../../../support/test-issuers.ts';

function read(name: SampleName, changed: Claims = {}) {
  const issuer = testIssuer(name);
  const authenticator = createAuthenticator([issuer.settings], { http: NO_NETWORK, clock: handClock(NOW) });
  return authenticator.verify(token(issuer, changed));
}

async function facts(name: SampleName, changed: Claims = {}): Promise<SignedFacts> {
  return (await read(name, changed)).signed;
}

const COMMIT = '0123456789012345678901234567890123456789';

describe('issuer profiles', () => {
  for (const name of SAMPLE_NAMES)
    it(`${name}: takes a good token and says whose it is`, async () => {
      const { settings, claims } = testIssuer(name);
      const verified = await read(name);
      assert.equal(verified.issuer, name);
      assert.equal(verified.profile, settings.profile);
      assert.equal(verified.iss, claims['iss']);
      assert.equal(verified.subject, claims['sub']);
      assert.equal(verified.audience, settings.audiences[0]);
      assert.equal(verified.expiresAt, Number(claims['exp']) * 1_000);
      assert.equal(verified.tokenId, claims['jti'] ?? claims['uti']);
      assert.equal(verified.tokenHash, sha256(token(testIssuer(name))));
      assert.deepEqual(verified.claims, claims);
    });

  it('azure-pipelines: project, definition, run, repository, ref and commit, and nothing that it does not sign', async () => {
    assert.deepEqual(await facts('azure-pipelines'), {
      project: PROJECT,
      pipeline: '7',
      run: '42',
      repository: 'a0000000-0000-4000-8000-000000000005',
      ref: 'refs/heads/main',
      commit: COMMIT,
    });
    assert.equal((await facts('azure-pipelines', { rpo_ref: undefined })).ref, undefined);
    assert.equal((await facts('azure-pipelines', { org_id: ORGANIZATION.toUpperCase() })).project, PROJECT);
  });

  it('gitlab: ids, the full ref, and protection only where a branch of the project runs', async () => {
    const all = {
      project: '20',
      pipeline: 'gitlab.example.com/data/etl//.gitlab-ci.yml@refs/heads/main',
      run: '574',
      repository: '20',
      ref: 'refs/heads/main',
      refProtected: true,
      commit: COMMIT,
      environment: 'production',
      actor: '1',
    };
    assert.deepEqual(await facts('gitlab'), all);
    assert.deepEqual(await facts('gitlab', { ref_path: undefined }), all);
    const tag = await facts('gitlab', { ref_path: undefined, ref_type: 'tag', ref: 'v1', ref_protected: 'false' });
    assert.deepEqual([tag.ref, tag.refProtected], ['refs/tags/v1', false]);
    assert.equal((await facts('gitlab', { ref_path: undefined, ref_type: 'toString' })).ref, undefined);
  });

  it('gitlab: a merge request may come from a fork, so its branch is no fact and never protected', async () => {
    for (const pipeline_source of ['merge_request_event', 'external_pull_request_event']) {
      const { ref, refProtected } = await facts('gitlab', { pipeline_source });
      assert.deepEqual([ref, refProtected], [undefined, false]);
    }
    const merged = await facts('gitlab', {
      pipeline_source: 'merge_request_event',
      ref_path: 'refs/merge-requests/3/head',
    });
    assert.equal(merged.ref, 'refs/merge-requests/3/head');
  });

  it('github: the same facts from subjects with ids, without, and of a chosen form', async () => {
    const all = {
      project: '74',
      pipeline: 'octo/etl/.github/workflows/run.yml@refs/heads/main',
      run: '1234567',
      repository: '74',
      ref: 'refs/heads/main',
      refProtected: true,
      commit: COMMIT,
      actor: '12',
    };
    for (const sub of [
      'repo:octo@65/etl@74:ref:refs/heads/main',
      'repo:octo/etl:ref:refs/heads/main',
      'repo:octo/etl:environment:production',
      'repo:octo/etl:pull_request',
      'repository_id:74:ref:refs/heads/main',
    ])
      assert.deepEqual(await facts('github', { sub }), all, sub);
  });

  it('github: nothing is protected for a pull request', async () => {
    for (const event_name of ['pull_request', 'pull_request_target', 'pull_request_review'])
      assert.equal((await facts('github', { event_name })).refProtected, false);
    assert.equal((await facts('github', { ref_protected: undefined })).refProtected, undefined);
  });

  it('kubernetes: the namespace', async () => {
    assert.deepEqual(await facts('kubernetes'), { project: 'etl' });
  });

  it('entra, connections and other issuers sign nothing of a run', async () => {
    for (const name of ['entra', 'entra-v1', 'azure-connection', 'azure-connection-old', 'oidc'] as const)
      assert.deepEqual(await facts(name), {}, name);
  });

  it('names a token without `jti` by what is signed of it', async () => {
    const issuer = testIssuer('oidc');
    const text = token(issuer, { jti: undefined });
    const { tokenId } = await read('oidc', { jti: undefined });
    assert.equal(tokenId, `sha256:${sha256(text.slice(0, text.lastIndexOf('.')))}`);
  });
});
