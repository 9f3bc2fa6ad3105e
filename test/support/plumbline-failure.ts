import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';

/** For `assert.throws` and `assert.rejects`: an error of ours with this code, message and remedy. */
export function failure(code: string, message: RegExp, remedy?: RegExp): (thrown: unknown) => boolean {
  return (thrown) => {
    assert.ok(thrown instanceof PlumblineError, String((thrown as Error)?.stack ?? thrown));
    assert.equal(thrown.code, code, thrown.message);
    assert.match(thrown.message, message);
    if (remedy) assert.match(thrown.remedy ?? '', remedy);
    return true;
  };
}
