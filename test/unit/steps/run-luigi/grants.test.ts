import assert from 'node:assert/strict';
import { type ErrorCode, PlumblineError } from '#core/errors.ts';
import { renewalReport } from '#steps/run-luigi/grants.ts';
import { recordingHost } from '../../../support/recording-host.ts';

describe('a renewal of the token file that goes wrong', () => {
  const reported = (code: ErrorCode, details = {}) => {
    const host = recordingHost({});
    const refused: PlumblineError[] = [];
    renewalReport(host, (error) => refused.push(error))({
      error: new PlumblineError(code, 'Cannot renew', { details }),
    });
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

  it('is a warning when Azure DevOps is out of order for now', () => {
    const { issues, refused } = reported('ERR_IDENTITY_OIDC_UNAVAILABLE', { status: 503, passing: true });
    assert.deepEqual(refused, []);
    assert.equal(issues.length, 1);
  });
});
