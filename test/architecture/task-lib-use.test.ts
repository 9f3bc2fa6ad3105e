import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ROOT } from '../../scripts/repository.ts';

/** Everything that the host asks of task-lib. The bundle has no tool runner and no file matching: none of these needs them. */
const USED = [
  'CertConfiguration',
  'IssueType',
  'ProxyConfiguration',
  'command',
  'debug',
  'getEndpointAuthorizationParameter',
  'getEndpointAuthorizationScheme',
  'getEndpointDataParameter',
  'getEndpointUrl',
  'getHttpCertConfiguration',
  'getHttpProxyConfiguration',
  'getInput',
  'getTaskVariable',
  'getVariable',
  'getVariables',
  'logDetail',
  'logIssue',
  'setProgress',
  'setSecret',
  'setStdStream',
  'setTaskVariable',
  'setVariable',
];

describe('the use of azure-pipelines-task-lib', () => {
  it('stays with the functions that the bundle has', () => {
    const host = resolve(ROOT, 'src/host');
    const text = readdirSync(host).map((name) => readFileSync(resolve(host, name), 'utf8'));
    const used = text.flatMap((one) => [...one.matchAll(/\btl\.(\w+)/g)].map(([, name = '']) => name));
    assert.deepEqual(
      used.filter((name) => !USED.includes(name)),
      [],
    );
  });
});
