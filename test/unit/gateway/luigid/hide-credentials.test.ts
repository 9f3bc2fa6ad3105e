import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hideCredentials } from '#gateway/luigid/hide-credentials.ts';

const ID = '0b8f6a52-52a6-4a77-9a33-0a1d5f6a7b11';
const part = (bytes: string) => Buffer.from(bytes).toString('base64url');
const JWS = [part('{"alg":"RS256","kid":"k"}'), part('x'.repeat(200)), part('y'.repeat(256))].join('.');
const TOKENS = [
  JWS,
  `plw_${ID}.1.${'A'.repeat(43)}`,
  `plr_${ID}.1795277521733.${'c'.repeat(43)}`,
  `pls_${'b-_'.repeat(14)}B`,
];
const FREE = ['expl', 'status_message', 'tracking_url', 'content', 'response'];

function hidden(text: string, name = 'expl'): unknown {
  const given = { [name]: text };
  hideCredentials(given);
  return given[name];
}

describe('credentials in what tasks tell luigid', () => {
  for (const token of TOKENS)
    it(`${token.slice(0, 4)}… is hidden in every free text, as it is and in base64`, () => {
      for (const name of FREE) {
        assert.equal(hidden(`using ${token}, thanks`, name), 'using [credential], thanks');
        assert.equal(
          hidden(`https://jobs.example/?key=${token}&a=b`, name),
          'https://jobs.example/?key=[credential]&a=b',
        );
        assert.equal(hidden(`is ${Buffer.from(token).toString('base64')}\n`, name), 'is [credential]\n');
      }
    });

  it('a token is hidden in an answer that is no text', () => {
    const given = { response: [{ [JWS]: [`is ${JWS}`], n: 1, none: null }, true] };
    hideCredentials(given as never);
    assert.deepEqual(given, { response: [{ '[credential]': ['is [credential]'], n: 1, none: null }, true] });
  });

  it('a token is hidden in the base64 of a longer text too', () => {
    for (const before of ['', 'a', 'ab', 'Bearer ']) {
      const encoded = Buffer.from(before + JWS).toString('base64');
      assert.ok(String(hidden(encoded)).length <= before.length * 2 + 16, before);
    }
  });

  it('no other argument is changed, nor text that has none', () => {
    const given = { task_id: JWS, params: { name: JWS }, worker: `${ID}.1`, expl: null, priority: 3 };
    const before = structuredClone(given);
    hideCredentials(given);
    assert.deepEqual(given, before);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        assert.equal(hidden(text), text);
      }),
    );
    for (const text of ['eyJ', 'eyJhbGciOiJSUzI1NiJ9.short.parts', 'plr_regression_model_v2', 'pls_send', 'ZXlKaG'])
      assert.equal(hidden(text), text);
  });

  it('takes time with the length of the text', () => {
    for (const text of [
      'eyJ'.repeat(300_000),
      'pls_'.repeat(200_000),
      'eyJaaaaaaaaaaaaaa.'.repeat(50_000),
      'cGxzX'.repeat(100_000),
    ])
      hidden(text);
  }).timeout(5_000);
});
