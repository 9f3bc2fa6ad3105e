import assert from 'node:assert/strict';
import type { Caller } from '#gateway/auth/caller.ts';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';
import { usedUpBy } from '#gateway/auth/token-ledger.ts';
import { assertRefused } from '../../../support/assert-refused.ts';
import { handClock, NO_NETWORK } from '../../../support/hand-clock.ts';
import { failure } from '../../../support/plumbline-failure.ts';
import { type Claims, sha256, token } from '../../../support/test-issuer.ts';
import { NOW, ORGANIZATION, PROJECT, type SampleName, testIssuer } from '../../../support/test-issuers.ts';

const OTHER_ORGANIZATION = '0a1b2c3d-0000-4000-8000-0000000000ff';

function authenticatorOf(issuers: readonly IssuerSettings[], clock = handClock(NOW)) {
  return createAuthenticator(issuers, { http: NO_NETWORK, clock });
}

function settings(name: SampleName, more: Partial<IssuerSettings> = {}): IssuerSettings {
  return testIssuer(name, more).settings;
}

function good(name: SampleName, claims: Claims = {}): string {
  return token(testIssuer(name), claims);
}

describe('authenticator', () => {
  it('gives the same answer again without verifying again, and not past the end of the token', async () => {
    const clock = handClock(NOW);
    const authenticator = authenticatorOf([settings('gitlab')], clock);
    const text = good('gitlab', { exp: NOW / 1_000 + 30 });
    const first = await authenticator.verify(text);
    assert.equal(await authenticator.verify(text), first);
    clock.set(NOW + 30_000 - 1);
    assert.equal(await authenticator.verify(text), first);
    clock.move(1);
    await assertRefused(authenticator, text, 'expired');
    clock.move(-1);
    assert.notEqual(await authenticator.verify(text), first);
  });

  it('verifies again after a minute', async () => {
    const clock = handClock(NOW);
    const authenticator = authenticatorOf([settings('gitlab')], clock);
    const first = await authenticator.verify(good('gitlab'));
    clock.move(60_000);
    assert.notEqual(await authenticator.verify(good('gitlab')), first);
  });

  it('remembers nothing bad, and no token under the name of another', async () => {
    const authenticator = authenticatorOf([settings('gitlab')]);
    const text = good('gitlab');
    await authenticator.verify(text);
    await assertRefused(authenticator, `${text.slice(0, -4)}AAAA`, 'signature');
    await assertRefused(authenticator, `${text.slice(0, -4)}AAAA`, 'signature');
    assert.equal((await authenticator.verify(good('gitlab', { user_id: '2' }))).signed.actor, '2');
    assert.equal((await authenticator.verify(text)).signed.actor, '1');
  });

  it('what another policy says holds from the next request on', async () => {
    const authenticator = authenticatorOf([settings('gitlab')]);
    const text = good('gitlab');
    await authenticator.verify(text);
    authenticator.configure([settings('gitlab', { audiences: ['https://other.example.com'] })]);
    await assertRefused(authenticator, text, 'audience');
    authenticator.configure([settings('gitlab', { name: 'renamed' })]);
    assert.equal((await authenticator.verify(text)).issuer, 'renamed');
  });

  it('a list of issuers that cannot be used changes nothing', async () => {
    const authenticator = authenticatorOf([settings('gitlab')]);
    const broken = settings('azure-connection', { sharedAudience: false });
    assert.throws(() => authenticator.configure([broken]), failure('ERR_ISSUER_INVALID', /sharedAudience: true/));
    await authenticator.verify(good('gitlab'));
  });

  it('nobody can change what the next request sees', async () => {
    const authenticator = authenticatorOf([settings('kubernetes')]);
    const caller = await authenticator.authenticate({ bearer: good('kubernetes') });
    const { claims, signed } = caller;
    assert.throws(() => Object.assign(caller, { scope: 'another' }), TypeError);
    const cluster = claims['kubernetes.io'] as Record<string, unknown>;
    assert.throws(() => Object.assign(cluster, { namespace: 'prod' }), TypeError);
    assert.throws(() => Object.assign(signed, { project: 'prod' }), TypeError);
  });

  it('an issuer without any keys here fails alone', async () => {
    const away = settings('github', { jwks: undefined });
    const authenticator = authenticatorOf([away, settings('gitlab')]);
    await assertRefused(authenticator, good('github'), 'keys');
    await authenticator.verify(good('gitlab'));
  });
});

describe('scope of a caller', () => {
  const issuers = [settings('gitlab'), settings('kubernetes'), settings('entra'), settings('azure-pipelines')];
  const authenticator = authenticatorOf(issuers);
  const scope = async (bearer: string, runFacts?: string) =>
    (await authenticator.authenticate({ bearer, runFacts })).scope;

  it('is the same for two tokens of one subject and project', async () => {
    assert.match(await scope(good('gitlab')), /^[0-9a-f]{64}$/);
    assert.equal(await scope(good('gitlab')), await scope(good('gitlab', { jti: 'another', run_id: '575' })));
  });

  it('is another one for another subject or project', async () => {
    const scopes = await Promise.all([
      scope(good('gitlab')),
      scope(good('gitlab', { project_id: '21' })),
      scope(good('gitlab', { sub: 'project_path:data/etl:ref_type:branch:ref:other' })),
      scope(good('kubernetes')),
      scope(good('entra')),
      scope(good('entra'), good('azure-pipelines')),
      scope(good('entra'), good('azure-pipelines', { prj_id: OTHER_ORGANIZATION })),
    ]);
    assert.equal(new Set(scopes).size, scopes.length);
  });

  it('of a connection with run facts: the project, not the run', async () => {
    const [one, two] = [good('azure-pipelines'), good('azure-pipelines', { run_id: '43', jti: 'another' })];
    assert.equal(await scope(good('entra'), one), await scope(good('entra'), two));
  });
});

describe('run facts beside a token', () => {
  const factsOnly = settings('azure-pipelines', { factsOnly: true });
  const both = authenticatorOf([settings('entra'), settings('gitlab'), factsOnly]);
  const runFacts = good('azure-pipelines');
  const refusal = (reason: string) => (thrown: unknown) =>
    (thrown as { details?: { reason?: string } }).details?.reason === reason;

  it('are kept beside what is authorised', async () => {
    const caller: Caller = await both.authenticate({ bearer: good('entra'), runFacts });
    assert.deepEqual(caller.signed, {});
    assert.equal(caller.runFacts?.signed.project, PROJECT);
    assert.equal(caller.tokenHash, sha256(good('entra')));
    assert.equal(caller.runFacts?.tokenHash, sha256(runFacts));
  });

  it('are used up with the request, an access token is not', async () => {
    const caller = await both.authenticate({ bearer: good('entra'), runFacts });
    assert.deepEqual(usedUpBy(caller), [caller.runFacts]);
    const job = await both.authenticate({ bearer: good('gitlab') });
    assert.deepEqual(usedUpBy(job), [job]);
  });

  it('authorise nobody', () => assert.rejects(both.authenticate({ bearer: runFacts }), refusal('facts-only')));

  it('do not authorise with themselves either', () =>
    assert.rejects(both.authenticate({ bearer: runFacts, runFacts }), refusal('facts-only')));

  it('are not put beside a token that signs its own run', async () => {
    await assert.rejects(both.authenticate({ bearer: good('gitlab'), runFacts }), refusal('run-facts'));
    const pipelines = authenticatorOf([settings('azure-pipelines')]);
    await assert.rejects(pipelines.authenticate({ bearer: runFacts, runFacts }), refusal('run-facts'));
  });

  it('are of a pipeline and nothing else', async () => {
    await assert.rejects(both.authenticate({ bearer: good('entra'), runFacts: good('entra') }), refusal('run-facts'));
    await assert.rejects(both.authenticate({ bearer: good('entra'), runFacts: good('gitlab') }), refusal('run-facts'));
  });

  it('are verified like any token; an empty header is no missing one', async () => {
    const caller = (facts: string) => both.authenticate({ bearer: good('entra'), runFacts: facts });
    await assert.rejects(caller(good('azure-pipelines', { exp: NOW / 1_000 })), refusal('expired'));
    await assert.rejects(caller(good('azure-pipelines', { org_id: OTHER_ORGANIZATION })), refusal('tenant'));
    await assert.rejects(caller(`${runFacts.slice(0, -4)}AAAA`), refusal('signature'));
    await assert.rejects(caller(''), refusal('form'));
  });

  it('do not help a bad token', async () => {
    const bearer = `${good('entra').slice(0, -4)}AAAA`;
    await assert.rejects(both.authenticate({ bearer, runFacts }), refusal('signature'));
  });

  it('of another organization are not put beside a connection that names its own', async () => {
    const issuer = `https://vstoken.dev.azure.com/${OTHER_ORGANIZATION}`;
    const foreign = settings('azure-pipelines', { issuer, name: 'foreign' });
    const authenticator = authenticatorOf([settings('azure-connection'), factsOnly, foreign]);
    await authenticator.authenticate({ bearer: good('azure-connection'), runFacts });
    const facts = good('azure-pipelines', { iss: issuer, org_id: OTHER_ORGANIZATION });
    await assert.rejects(
      authenticator.authenticate({ bearer: good('azure-connection'), runFacts: facts }),
      refusal('run-facts'),
    );
    assert.notEqual(ORGANIZATION, OTHER_ORGANIZATION);
  });
});
