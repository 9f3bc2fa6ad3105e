import assert from 'node:assert/strict';
import { stepEnvironment } from '#engines/luigi/step-environment.ts';

describe('the environment of user code', () => {
  for (const name of [
    'INPUT_SECRETS',
    'ENDPOINT_AUTH_SYSTEMVSSCONNECTION',
    'ENDPOINT_AUTH_PARAMETER_x_SERVICEPRINCIPALKEY',
    'SECRET_PASSWORD',
    'SECUREFILE_TICKET_1',
    'VSTS_TASKVARIABLE_RUN',
    'VSTS_SECRET_VARIABLES',
    'VSTS_PUBLIC_VARIABLES',
    'SYSTEM_ACCESSTOKEN',
    'AGENT_PROXYPASSWORD',
    'AGENT_CLIENTCERTPASSWORD',
    'PLUMBLINE_RUN_ID',
    'input_module',
  ]) {
    it(`has no ${name}`, () => assert.deepEqual(stepEnvironment({ [name]: 'x' }), {}));
  }

  for (const name of [
    'BUILD_SOURCEVERSION',
    'SYSTEM_TEAMPROJECT',
    'AGENT_TEMPDIRECTORY',
    'VSTS_PROCESS_LOOKUP_ID',
    'PATH',
    'MY_INPUT',
  ]) {
    it(`has ${name}`, () => assert.deepEqual(stepEnvironment({ [name]: 'x' }), { [name]: 'x' }));
  }
});
