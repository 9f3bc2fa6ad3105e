import assert from 'node:assert/strict';
import fc from 'fast-check';
import { verifyClientAssertion } from '#local-azure/client-assertion.ts';
import { Entra } from '#local-azure/entra.ts';
import { EntraError } from '#local-azure/entra-error.ts';
import type { Incoming, Reply } from '#local-azure/exchange.ts';
import { entraConnectionSubject } from '#local-azure/federation.ts';
import { resolveWorld } from '#local-azure/resolve-world.ts';
import { createSigningKey, type SigningKey } from '#local-azure/signing-key.ts';
import type { Identity } from '#local-azure/world.ts';
import { sampleDeclaration, TENANT, WORKFLOW_CLIENT } from '../../support/local-azure.ts';

const NOW = Date.parse('2026-11-21T10:00:00Z');
const SECONDS = NOW / 1_000;
const GUID_AUDIENCE = 'fb60f99c-7a34-4190-8149-302f77469936';
const URI_AUDIENCE = 'api://AzureADTokenExchange';
const world = resolveWorld(sampleDeclaration());
const [workflows] = world.identities as [Identity];

describe('a client assertion at Entra', () => {
  let key: SigningKey;
  before(async () => {
    key = await createSigningKey();
  });
  const entra = `https://login.microsoftonline.com/${TENANT}/v2.0`;
  const other = 'https://vstoken.dev.azure.com/0a0a0a0a-1b1b-4c2c-8d3d-4e4e4e4e4e4e';
  const identity = (issuer: string, audience = URI_AUDIENCE): Identity => ({
    ...workflows,
    federatedCredentials: [{ issuer, subject: 's', audience }],
  });
  const verdict = async (claims: object, trusted: Identity) => {
    const assertion = await key.sign({ sub: 's', nbf: SECONDS, exp: SECONDS + 600, ...claims });
    try {
      await verifyClientAssertion(assertion, trusted, () => ({ keys: [key.jwk] }), NOW);
      return 'accepted';
    } catch (error) {
      assert.ok(error instanceof EntraError, String(error));
      return error.code;
    }
  };

  it('of the Entra issuer may name the exchange by GUID, of others not', async () => {
    assert.equal(await verdict({ iss: entra, aud: GUID_AUDIENCE }, identity(entra)), 'accepted');
    assert.equal(await verdict({ iss: entra, aud: URI_AUDIENCE }, identity(entra)), 'accepted');
    assert.equal(await verdict({ iss: other, aud: GUID_AUDIENCE }, identity(other)), 700212);
    assert.equal(await verdict({ iss: entra, aud: GUID_AUDIENCE }, identity(entra, 'api://mine')), 700212);
    assert.equal(await verdict({ iss: other, aud: [URI_AUDIENCE] }, identity(other)), 700212);
  });

  it('is good until the second of its expiry and at most five minutes early', async () => {
    const timed = (nbf: number, exp: number | undefined) =>
      verdict(
        { iss: other, aud: URI_AUDIENCE, nbf: SECONDS + nbf, exp: exp === undefined ? undefined : SECONDS + exp },
        identity(other),
      );
    assert.equal(await timed(0, 1), 'accepted');
    assert.equal(await timed(-600, 0), 700024);
    assert.equal(await timed(300, 600), 'accepted');
    assert.equal(await timed(301, 600), 700024);
    assert.equal(await timed(0, undefined), 50027);
  });

  it('needs an issuer that can be reached', async () => {
    const assertion = await key.sign({ iss: other, sub: 's', aud: URI_AUDIENCE, exp: SECONDS + 600 });
    await assert.rejects(
      verifyClientAssertion(assertion, identity(other), () => undefined, NOW),
      { code: 50166 },
    );
  });

  it('is refused, not stumbled over, whatever it is', async () => {
    const part = fc.oneof(
      fc.string(),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
    );
    const assertions = fc.oneof(
      fc.string(),
      fc.tuple(part, part, part).map((parts) => parts.join('.')),
    );
    await fc.assert(
      fc.asyncProperty(assertions, async (assertion) => {
        await assert.rejects(
          verifyClientAssertion(assertion, identity(other), () => ({ keys: [key.jwk] }), NOW),
          EntraError,
        );
      }),
    );
  });
});

describe('the subject of a connection at the Entra issuer', () => {
  it('carries the GUIDs in their .NET byte order', () => {
    const subject = entraConnectionSubject('00112233-4455-6677-8899-aabbccddeeff', 'org', 'sc');
    const [, eid, , , , tenant = '', , application = ''] = subject.split('/');
    assert.equal(eid, 'eid1');
    assert.equal(Buffer.from(tenant, 'base64url').toString('hex'), '33221100554477668899aabbccddeeff');
    assert.equal(application, 'rISbSSETf0KqFyZ8ppdXmA');
    assert.ok(subject.endsWith('/sc/org/sc'));
  });
});

describe('the token endpoint', () => {
  let entra: Entra;
  before(async () => {
    const key = await createSigningKey();
    entra = new Entra({ world, key, publishedKeys: () => undefined, clock: { now: () => NOW, sleep: async () => {} } });
  });
  const ask = (path: string, form?: Record<string, string>, host = 'login.microsoftonline.com'): Promise<Reply> => {
    const request: Incoming = {
      host,
      method: form === undefined ? 'GET' : 'POST',
      url: new URL(path, `https://${host}`),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(new URLSearchParams(form).toString()),
    };
    return entra.handle(request);
  };
  const token = (form: Record<string, string>, tenant = TENANT) => ask(`/${tenant}/oauth2/v2.0/token`, form);
  const good = {
    grant_type: 'client_credentials',
    client_id: WORKFLOW_CLIENT,
    scope: 'https://vault.azure.net/.default',
  };

  it('names each missing or wrong parameter by its code', async () => {
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    const cases: [Record<string, string>, number, string, number][] = [
      [{}, 400, 'invalid_request', 900144],
      [{ grant_type: 'client_credentials' }, 400, 'invalid_request', 900144],
      [{ ...good, client_id: TENANT }, 400, 'unauthorized_client', 700016],
      [{ ...good, grant_type: 'password' }, 400, 'unsupported_grant_type', 70003],
      [good, 401, 'invalid_client', 7000218],
      [{ ...good, client_assertion: 'a.b.c' }, 401, 'invalid_client', 7000218],
      [{ ...good, client_assertion: 'abc', client_assertion_type: type }, 401, 'invalid_client', 50027],
      [{ ...good, client_secret: 'a-stored-secret' }, 401, 'invalid_client', 7000215],
    ];
    for (const [form, status, error, code] of cases) {
      const reply = await token(form);
      const body = reply.body as { error: string; error_codes: number[] };
      assert.deepEqual([reply.status, body.error, body.error_codes], [status, error, [code]]);
    }
  });

  it('knows tenants by id and by the host of their cloud', async () => {
    const codes = [];
    for (const [tenant, host] of [
      ['not-a-tenant', undefined],
      ['contoso.example', undefined],
      [TENANT, 'login.microsoftonline.us'],
    ] as const) {
      codes.push(
        ((await ask(`/${tenant}/oauth2/v2.0/token`, good, host)).body as { error_codes: number[] }).error_codes[0],
      );
    }
    assert.deepEqual(codes, [900023, 90002, 90002]);
  });

  it('gives every field of the error document and repeats no secret', async () => {
    const { body } = await token({ ...good, client_secret: 'a-stored-secret' });
    const document = body as Record<string, unknown>;
    assert.deepEqual(Object.keys(document), [
      'error',
      'error_description',
      'error_codes',
      'timestamp',
      'trace_id',
      'correlation_id',
      'error_uri',
    ]);
    assert.equal(document['timestamp'], '2026-11-21 10:00:00Z');
    assert.match(
      String(document['error_description']),
      /^AADSTS7000215: .* Trace ID: \S+ Correlation ID: \S+ Timestamp: 2026-11-21 10:00:00Z$/,
    );
    assert.doesNotMatch(JSON.stringify(document), /a-stored-secret/);
  });

  it('publishes discovery for tenant and instance', async () => {
    const discovery = (await ask(`/${TENANT}/v2.0/.well-known/openid-configuration`)).body as Record<string, unknown>;
    assert.equal(discovery['issuer'], `https://login.microsoftonline.com/${TENANT}/v2.0`);
    assert.equal(discovery['token_endpoint'], `https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/token`);
    const instance = (await ask('/common/discovery/instance?api-version=1.1')).body as {
      tenant_discovery_endpoint: string;
    };
    assert.match(instance.tenant_discovery_endpoint, /\/v2\.0\/\.well-known\/openid-configuration$/);
    assert.equal((await ask(`/${TENANT}/oauth2/token`, good)).status, 404);
  });
});
