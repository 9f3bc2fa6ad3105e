import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { PROFILES } from '#gateway/auth/caller.ts';
import { issuerProblems } from '#gateway/auth/issuer-problems.ts';
import { REFUSALS } from '#gateway/auth/token-refused.ts';
import { compileIssuer } from '#gateway/policy/compile-issuer.ts';
import type { IssuerEntry } from '#gateway/policy/policy-document.ts';
import { ROOT } from '../../../../scripts/repository.ts';

describe('docs/gateway/tokens.md', () => {
  const page = readFileSync(resolve(ROOT, 'docs/gateway/tokens.md'), 'utf8');

  it('tells every profile and every reason, with its code', () => {
    const profiles = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual(profiles.sort(), [...PROFILES].sort());
    let code = '';
    const told = [...page.matchAll(/^\| (?:\[`(ERR_\w+)`\]\S*)? ?\| `([a-z-]+)` \| \S/gm)].map(([, named, reason]) => {
      code = named ?? code;
      return [reason, code];
    });
    assert.deepEqual(Object.fromEntries(told), REFUSALS);
  });

  it('has examples that the policy takes', () => {
    const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => parse(text));
    const issuers: Readonly<Record<string, IssuerEntry>> = Object.assign({}, ...blocks);
    assert.ok(Object.keys(issuers).length >= 9);
    for (const [name, entry] of Object.entries(issuers))
      assert.deepEqual(issuerProblems(compileIssuer(name, entry)), [], name);
  });
});
