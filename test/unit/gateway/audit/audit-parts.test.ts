import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import { encodeRecord, hashOf, NO_PREVIOUS, parseRecord } from '#gateway/audit/audit-record.ts';
import { canonicalJson } from '#gateway/audit/canonical-json.ts';
import { logFileName, parseLogFileName } from '#gateway/audit/log-files.ts';
import { readAccessGate } from '#gateway/audit/read-access-gate.ts';
import { redactCredentials, refuseCredentials } from '#gateway/audit/redaction-guard.ts';
import { isSignedBy, parseNote, parseVerifierKey } from '#gateway/audit/signed-note.ts';
import { AuditPlace, ManualClock } from '../../../support/audit-sample.ts';

describe('canonicalJson', () => {
  it('writes the example of RFC 8785 §3.2.2', () => {
    const example = {
      // biome-ignore lint/correctness/noPrecisionLoss: as the RFC has it
      numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    assert.equal(
      canonicalJson(example),
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it('sorts by UTF-16 code units, also what looks like an index', () => {
    const keys = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '10': 7, '9': 8 };
    assert.deepEqual([...canonicalJson(keys).matchAll(/:(\d)/g)].map(([, value]) => value).join(''), '24786153');
  });

  it('has one form for one value, and gives the value back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value as JsonValue);
        assert.equal(canonicalJson(JSON.parse(text)), text);
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value).replaceAll(/\\ud[89a-f]../g, '\ufffd')));
      }),
    );
  });

  it('refuses what JSON cannot hold', () => {
    const deep = Array.from({ length: 40 }).reduce<JsonValue>((inner) => [inner], 1);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, deep, new Date(), () => 1, 1n])
      assert.throws(() => canonicalJson({ value: value as JsonValue }), TypeError);
    assert.equal(canonicalJson({ a: undefined, b: '\ud800' }), '{"b":"\ufffd"}');
  });
});

describe('records', () => {
  const place = { sequence: 7, previous: NO_PREVIOUS, time: 0, source: 's' };

  it('come back from their line, whatever their data is', () => {
    const data = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(data, fc.option(fc.string(), { nil: undefined }), (value, subject) => {
        const encoded = canonicalJson(value as Record<string, JsonValue>);
        const line = encodeRecord({ type: 't', subject, data: encoded }, place);
        assert.equal(line.includes('\n'), false);
        const parsed = parseRecord(line);
        assert.equal(parsed?.sequence, 7);
        assert.equal(canonicalJson(parsed?.record.data), encoded);
      }),
    );
  });

  it('are none in another form', () => {
    const line = encodeRecord({ type: 't', subject: undefined, data: '{"a":1,"b":[1]}' }, place);
    assert.ok(parseRecord(line));
    for (const other of [
      line.replace(':', ': '),
      line.replace('"a":1,"b":[1]', '"b":[1],"a":1'),
      line.replace('"a":1', '"a":1,"a":1'),
      line.replace('"a":1', '"a":1.0'),
      line.replace('"a"', '"\\u0061"'),
      line.replace('"id":"0000000000000007"', '"id":"0000000000000008"'),
      line.replace('"previous"', '"precious"'),
      'null',
      '[]',
      '{}',
      '',
    ])
      assert.equal(parseRecord(other), undefined, other);
  });

  it('have files whose names sort as they do', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 4e12 }), (a, b, at) => {
        assert.deepEqual(parseLogFileName(logFileName(a, at)), { name: logFileName(a, at), firstSequence: a, at });
        if (a !== b) assert.equal(logFileName(a, at) < logFileName(b, at), a < b);
      }),
    );
    for (const name of [
      'lock',
      'audit-1-x.jsonl',
      `${logFileName(1, 0)}.old`,
      logFileName(1, 0).replace('0101', '1399'),
    ])
      assert.equal(parseLogFileName(name), undefined);
  });
});

describe('signed notes', () => {
  let place: AuditPlace;
  before(() => {
    place = new AuditPlace();
  });
  after(() => place.remove());

  it('are those of C2SP: key id, signature type and bytes', async () => {
    const keys = await place.keys();
    const [name = '', id = '', encoded = ''] = keys.verifierKey
      .split('+', 2)
      .concat(keys.verifierKey.split('+').slice(2).join('+'));
    const raw = Buffer.from(encoded, 'base64');
    const digest = createHash('sha256')
      .update(Buffer.concat([Buffer.from(`${name}\n`), raw]))
      .digest('hex');
    assert.equal(id, digest.slice(0, 8));
    const note = keys.sign('one\ntwo\n');
    const [text, signature = ''] = note.split('\n\n');
    const bytes = Buffer.from(signature.trim().split(' ')[2] ?? '', 'base64');
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.subarray(1).toString('base64url') };
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
    assert.ok(verify(null, Buffer.from(`${text}\n`), publicKey, bytes.subarray(4)));
    assert.equal(bytes.toString('hex', 0, 4), id);
    assert.match(signature, /^\u2014 gateway\.example\/audit /);
  });

  it('hold for their key and bytes only', async () => {
    const keys = await place.keys();
    const key = parseVerifierKey(keys.verifierKey);
    const note = keys.sign('text\n');
    const parsed = parseNote(note);
    assert.ok(parsed && isSignedBy(parsed, [key]));
    assert.equal(isSignedBy(parsed, []), false);
    for (const other of [`${note}\n`, note.trimEnd(), note.replace('\u2014', '-'), note.replace('\n\n', '\n'), ''])
      assert.equal(parseNote(other), undefined);
    const changed = parseNote(note.replace('text', 'tezt'));
    assert.ok(changed && !isSignedBy(changed, [key]));
    for (const text of ['', 'a+b+c', keys.verifierKey.replace('gateway', 'getaway'), keys.verifierKey.slice(0, -8)])
      assert.throws(() => parseVerifierKey(text), TypeError);
  });
});

describe('the guard of the audit log', () => {
  const JWT = `${base64({ alg: 'RS256', typ: 'JWT' })}.${base64({ iss: 'https://issuer', sub: 'canary' })}.c2lnbmF0dXJl`;
  const CANARIES = [
    JWT,
    `${Buffer.from('{\n  "alg":"none"}').toString('base64url')}.${base64({ sub: 'canary' })}.`,
    'plr_0198f0c2-1111-7abc-8def-0123456789ab.1763726400000.Q0FOQVJZQ0FOQVJZQ0FOQVJZ',
    '-----BEGIN PRIVATE KEY-----',
    'Bearer canarycanarycanary',
    `ghp_${'c'.repeat(36)}`,
    'glpat-canarycanarycanary',
    'https://a.blob.core.windows.net/c?sv=1&sig=canarycanarycanary%3D',
  ];

  it('refuses what looks like a credential anywhere, and does not repeat it', () => {
    for (const canary of CANARIES)
      for (const event of [
        { type: 't', data: { a: canary } },
        { type: 't', data: { a: [{ b: `x ${canary}` }] } },
        { type: 't', data: { a: { [canary]: 1 } } },
        { type: 't', subject: canary, data: {} },
      ])
        assert.throws(
          () => refuseCredentials(event),
          (error: unknown) => error instanceof TypeError && !error.message.includes(canary),
          canary,
        );
  });

  it('refuses fields that are made for a credential or a value', () => {
    for (const name of [
      'token',
      'accessToken',
      'id_token',
      'Authorization',
      'client-secret',
      'password',
      'parameters',
      'secret',
    ])
      assert.throws(() => refuseCredentials({ type: 't', data: { caller: [{ [name]: 'x' }] } }), TypeError, name);
  });

  it('lets pass what records are made of', () => {
    refuseCredentials({
      type: 't',
      subject: '0198f0c2-1111-7abc-8def-0123456789ab',
      data: {
        tokenHash: 'a'.repeat(64),
        tokenId: 'jti',
        secrets: [{ vault: 'kv', name: 'db-password', version: '0a' }],
        module: 'plr_sales.MoneyJournalEntries.reviewofsalesdata.warehouse',
        ref: 'refs/heads/eyJ',
        parameterNames: ['token', 'password'],
        reasons: [{ reason: 'basic authentication is not offered here' }],
      },
    });
  });

  it('takes them out of text of callers', () => {
    for (const canary of CANARIES) {
      const text = redactCredentials(`before ${canary} after`);
      assert.match(text, /^before .*\[credential\].*after$/, text);
      refuseCredentials({ type: 't', data: { text } });
    }
    assert.doesNotMatch(redactCredentials(JWT), /c2ln/);
    for (const before of ['x-', 'a.b.', 'x_', '.', '--eyJ', 'eyJ.'])
      assert.doesNotMatch(redactCredentials(`${before}${JWT}`), /c2ln/, before);
    assert.equal(redactCredentials('refs/heads/main'), 'refs/heads/main');
  });

  it('takes time with the length of a text, whatever is in it', () => {
    for (const part of ['-eyJ', 'plr_', '.eyJ', '-eyJ-eyJ-eyJ.', 'plr_aaaaaaaa.', 'bearer ', '&sig='])
      for (const text of [part.repeat(50_000), `${part.repeat(50_000)}.a`]) {
        redactCredentials(text);
        refuseCredentials({ type: 't', data: { text: redactCredentials(text) } });
      }
  });

  function base64(value: object): string {
    return Buffer.from(JSON.stringify(value)).toString('base64url');
  }
});

describe('readAccessGate', () => {
  it('is due once for a token, a run and a minute', () => {
    const clock = new ManualClock(0);
    const gate = readAccessGate(clock);
    assert.deepEqual(
      [gate.isDue('t', 'a'), gate.isDue('t', 'a'), gate.isDue('t', 'b'), gate.isDue('u', 'a')],
      [true, false, true, true],
    );
    clock.advance(59_999);
    assert.equal(gate.isDue('t', 'a'), false);
    clock.advance(1);
    assert.equal(gate.isDue('t', 'a'), true);
    gate.forget('t', 'a');
    assert.equal(gate.isDue('t', 'a'), true);
  });

  it('records rather too much than too little when there are too many', () => {
    const gate = readAccessGate(new ManualClock(0), 2);
    for (const run of ['a', 'b', 'c', 'c']) assert.equal(gate.isDue('t', run), true);
    assert.equal(gate.isDue('t', 'a'), false);
  });
});

describe('hashOf', () => {
  it('is SHA-256 over the bytes', () => {
    assert.equal(hashOf('ü'), createHash('sha256').update('ü').digest('hex'));
  });
});
