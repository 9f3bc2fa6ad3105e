import assert from 'node:assert/strict';
import { KnownSecrets } from '#core/known-secrets.ts';
import { Secret } from '#core/secret.ts';

const knowing = (...secrets: string[]) => {
  const known = new KnownSecrets();
  for (const secret of secrets) known.add(new Secret(secret));
  return known;
};

describe('secrets that a text must not hold', () => {
  const secret = 'p@ss/word 7f3a';

  it('are found as they are, inside a text, and encoded', () => {
    const known = knowing(secret);
    const texts = [
      secret,
      `postgres://u:${secret}@h`,
      encodeURIComponent(secret),
      `x${btoa(secret)}`,
      btoa(`user:${secret}`),
    ];
    for (const text of texts) assert.ok(known.isIn(text), text);
    assert.ok(!known.isIn('another text'));
  });

  it('are found line by line', () => {
    const known = knowing('-----BEGIN KEY-----\nabcdefghijkl\nmnopqrstuvwx\n-----END KEY-----');
    assert.ok(known.isIn('the line abcdefghijkl of it'));
  });

  it('are found only as the whole text when they are short, and not at all when they are very short', () => {
    const known = knowing('prod', 'on');
    assert.ok(known.isIn('prod') && known.isIn(' prod '));
    assert.ok(!known.isIn('production') && !known.isIn('on'));
  });
});
