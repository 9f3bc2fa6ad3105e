import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import { renewalReport } from '#steps/run-luigi/grants.ts';
import { recordingHost } from '../../../support/recording-host.ts';

describe('a renewal of the token file that goes wrong', () => {
  const reported = (code: 'ERR_IDENTITY_OIDC_UNAVAILABLE' | 'ERR_IDENTITY_REJECTED' | 'ERR_HTTP_TIMEOUT') => {
    const host = recordingHost({});
    const refused: PlumblineError[] = [];
    renewalReport(host, (error) => refused.push(error))({ error: new PlumblineError(code, 'Cannot renew') });
    return { issues: host.issues, refused };
  };

  it('ends the run when the identity is refused', () => {
    for (const code of ['ERR_IDENTITY_OIDC_UNAVAILABLE', 'ERR_IDENTITY_REJECTED'] as const) {
      const { issues, refused } = reported(code);
      assert.deepEqual(
        refused.map((error) => error.code),
        [code],
      );
      assert.deepEqual(issues, []);
    }
  });

  it('is a warning when nobody answered', () => {
    const { issues, refused } = reported('ERR_HTTP_TIMEOUT');
    assert.deepEqual(refused, []);
    assert.deepEqual(issues, [{ type: 'warning', message: 'Cannot renew', code: 'ERR_HTTP_TIMEOUT' }]);
  });
});
